#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Configures the library alone where CUDA is switched off, missing, or does not work: one line says
# so, nothing breaks, and only STAMP_CUDA=ON insists.
# usage: configure.sh CMAKE SOURCE FOLDER
set -euo pipefail
cmake=$1
source=$2
folder=$3
rm -rf "$folder"
only_library=(-G Ninja -DSTAMP_BUILD_COMMAND=OFF -DSTAMP_BUILD_TESTS=OFF -DSTAMP_BUILD_BENCHMARKS=OFF)
# No program is found any more, but those that configuring itself needs.
no_nvcc=(-DCMAKE_FIND_ROOT_PATH=/nowhere -DCMAKE_FIND_ROOT_PATH_MODE_PROGRAM=ONLY
  "-DCMAKE_CXX_COMPILER=$(command -v c++)" "-DPKG_CONFIG_EXECUTABLE=$(command -v pkg-config)" "-DCMAKE_MAKE_PROGRAM=$(command -v ninja)")

expect() { # name, exit code, sentence, arguments
  local name=$1 code=$2 sentence=$3 found=0
  shift 3
  "$cmake" -S "$source" -B "$folder/$name" "${only_library[@]}" "$@" >"$folder.$name.log" 2>&1 || found=1
  if [[ $found -ne $code ]] || ! tr '\n' ' ' <"$folder.$name.log" | tr -s ' ' | grep -qF -- "$sentence"; then
    echo "$name: expected exit code $code and \"$sentence\", found exit code $found and:" >&2
    cat "$folder.$name.log" >&2
    exit 1
  fi
  echo "$name: $sentence"
}

mkdir -p "$(dirname "$folder")"
expect off 0 "-- stamp::cuda: skipped, STAMP_CUDA is OFF" -DSTAMP_CUDA=OFF
expect missing 0 "-- stamp::cuda: skipped, no CUDA toolkit was found (nvcc)" "${no_nvcc[@]}"
expect insisted 1 "stamp::cuda: STAMP_CUDA is ON, but no CUDA toolkit was found (nvcc)" \
  -DSTAMP_CUDA=ON "${no_nvcc[@]}"

# A toolkit without cuBLASLt, whose compiler is too old for the host's.
toolkit=$folder/toolkit
mkdir -p "$toolkit/bin"
cat >"$toolkit/bin/nvcc" <<'END'
#!/bin/sh
echo "In file included from cuda_runtime.h:82:" >&2
echo "crt/host_config.h:143:2: error: #error -- unsupported GNU version! gcc versions later than 11 are not supported!" >&2
exit 1
END
chmod +x "$toolkit/bin/nvcc"
# No header is found any more, but the one that configuring itself needs.
no_header=(-DCMAKE_FIND_ROOT_PATH=/nowhere -DCMAKE_FIND_ROOT_PATH_MODE_INCLUDE=ONLY
  "-D$(grep ^STAMP_STB_INCLUDE: "$folder/off/CMakeCache.txt")")
expect no_product_library 0 "-- stamp::cuda: skipped, no cuBLASLt was found (cublasLt.h); bash cuda/cublas.sh brings it" \
  "-DSTAMP_NVCC=$toolkit/bin/nvcc" "${no_header[@]}"
environment=$folder/environment
include=$environment/lib/python3.12/site-packages/nvidia/cu13/include
mkdir -p "$include"
touch "$include/cublasLt.h"
echo "#define CUBLAS_VER_MAJOR 13" >"$include/cublas_api.h"
refusal="nvcc compiles nothing here (unsupported GNU version! gcc versions later than 11 are not supported!)"
VIRTUAL_ENV=$environment expect refused 0 "-- stamp::cuda: skipped, $refusal" "-DSTAMP_NVCC=$toolkit/bin/nvcc"
grep -qxF "STAMP_CUBLAS_INCLUDE:PATH=$include" "$folder/refused/CMakeCache.txt" ||
  { echo "refused: expected cuBLASLt's header from the active Python environment" >&2; exit 1; }
VIRTUAL_ENV=$environment expect refused_insisted 1 "stamp::cuda: STAMP_CUDA is ON, but $refusal" \
  "-DSTAMP_NVCC=$toolkit/bin/nvcc" -DSTAMP_CUDA=ON
expect misspelt 1 "STAMP_CUDA: expected AUTO, ON or OFF, found YES" -DSTAMP_CUDA=YES
