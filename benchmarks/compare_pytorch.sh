#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Side by side with PyTorch at the true sizes of the 2B model: both answer the same question in turn, phase by phase.
# Makes what is missing: the Python environment, oneDNN, the programs, the checkpoint (4.4 GB under build/).
#   bash benchmarks/compare_pytorch.sh [--pixels 504|896] [--dtype bf16|int8|fp32] …    # --help names all options
#   bash benchmarks/compare_pytorch.sh --sam [--model vit_h] [--dtype bf16|int8|fp32] …    # SAM instead (1.3 GB)
#   bash benchmarks/compare_pytorch.sh --openvino [--pixels 504|896] [--dtype bf16|int8] …    # OpenVINO, prefill and decode
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash reference/pytorch/venv.sh
onednn=$PWD/.venv/lib/cmake/dnnl  # only to measure what the machine can do; nothing else is linked with it
[[ -d $onednn ]] || .venv/bin/pip install --quiet --disable-pip-version-check onednn-devel-cpu-gomp==2023.2.0
if ! grep -qs "^dnnl_DIR:.*$onednn" build/CMakeCache.txt; then
  fresh=()
  [[ -f build/CMakeCache.txt ]] || fresh=(-G Ninja -DCMAKE_BUILD_TYPE=Release)
  cmake -S . -B build "${fresh[@]}" -Ddnnl_DIR="$onednn"
fi
if [[ ${1:-} == --sam ]]; then
  shift
  cmake --build build --target sam_phases ceiling -j 1
  exec .venv/bin/python benchmarks/compare_sam.py "$@"
fi
cmake --build build --target phases ceiling -j 1
if [[ ${1:-} == --openvino ]]; then
  shift
  .venv/bin/python -c 'import openvino' 2>/dev/null ||
    .venv/bin/pip install --quiet --disable-pip-version-check openvino==2026.4.0
  exec .venv/bin/python benchmarks/compare_openvino.py "$@"
fi
exec .venv/bin/python benchmarks/compare_pytorch.py "$@"
