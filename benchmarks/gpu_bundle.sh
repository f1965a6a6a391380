#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds what gpu_report.sh runs and packs it into gpu-bundle/, so that a machine with a GPU needs
# neither a network nor this project's libraries: programs, the shared libraries that only they
# need, and where their sources stood. cuBLASLt is not packed: machines with PyTorch have it.
#   bash benchmarks/gpu_bundle.sh [ARCHITECTURES, default 90a-real] [BUILD FOLDER, default build-gpu]
#   bash benchmarks/gpu_bundle.sh --into FOLDER …      unpacked, for this machine, and without a network
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
into=
if [[ ${1:-} == --into ]]; then
  into=${2:?gpu_bundle.sh: expected a folder}
  shift 2
fi
architectures=${1:-90a-real}
build=${2:-build-gpu}
bundle=gpu-bundle
programs=(tests/{attend,matmul,weights,norm,pointwise,embed_rotate,top_k,memory,sam_operations,picture,mask_head,host,goldens,sam_goldens,draft_goldens,repeated,answer}_test benchmarks/cuda_report stamp)
programs+=(benchmarks/hopper_report)

[[ -n $into ]] || bash cuda/cublas.sh
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DSTAMP_CUDA=ON "-DCMAKE_CUDA_ARCHITECTURES=$architectures" >/dev/null
cmake --build "$build" --target "${programs[@]##*/}"
if [[ -n $into ]]; then
  mkdir -p "$into/bin"
  for program in "${programs[@]}"; do
    cp "$build/$program" "$into/bin/"
  done
  pwd >"$into/source_folder"
  git rev-parse HEAD >"$into/commit" 2>/dev/null || echo unknown >"$into/commit"
  exit 0
fi

rm -rf $bundle
mkdir -p $bundle/bin $bundle/lib
for program in "${programs[@]}"; do
  strip -o "$bundle/bin/${program##*/}" "$build/$program"
done
# Every system that runs a CUDA driver has these.
everywhere='ld-linux|libc\.so|libm\.so|libdl\.so|librt\.so|libpthread\.so|libgcc_s|libstdc\+\+'
ldd $bundle/bin/* | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u | grep -vE "$everywhere" |
  xargs -r cp -L -t $bundle/lib
pwd >$bundle/source_folder
git rev-parse HEAD >$bundle/commit
tar -C $bundle -cJf $bundle.tar.xz .
rm -rf $bundle
mkdir $bundle
mv $bundle.tar.xz $bundle/programs.tar.xz
size=$(stat -c %s $bundle/programs.tar.xz)
echo "gpu-bundle/programs.tar.xz: $((size >> 20)) MiB for $architectures"
[[ $size -lt $((40 << 20)) ]] || { echo "gpu_bundle.sh: expected less than 40 MiB" >&2; exit 1; }
