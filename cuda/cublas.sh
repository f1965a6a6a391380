#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Brings cuBLASLt, and the tools that read machine code, into the project's Python environment where a
# CUDA toolkit lacks them. Does nothing without a toolkit, or where they are there. About 400 MB.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

nvcc=$(command -v nvcc || true)
for folder in "${CUDA_HOME:-}" "${CUDA_PATH:-}" /usr/local/cuda; do
  [[ -n $nvcc || -z $folder || ! -x $folder/bin/nvcc ]] || nvcc=$folder/bin/nvcc
done
[[ -n $nvcc ]] || exit 0
[[ ! -f $(dirname "$nvcc")/../include/cublasLt.h ]] || exit 0
site='.venv/lib/python3.*/site-packages/nvidia/cu13'
compgen -G "$site/include/cublasLt.h" >/dev/null && compgen -G "$site/bin/cuobjdump" >/dev/null && exit 0

if [[ ! -x .venv/bin/pip ]]; then
  python3 -m venv .venv 2>/dev/null || { echo "cublas.sh: no Python environment can be made here; stamp::cuda is left out" >&2; exit 0; }
fi
.venv/bin/pip install --quiet --disable-pip-version-check --no-deps -r cuda/requirements.txt ||
  echo "cublas.sh: cuBLASLt could not be fetched; stamp::cuda is left out" >&2
