#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# All tests, from a fresh clone on a fresh Debian 12: installs what is missing, builds, runs.
# Run again, it only does what is left to do.
set -euo pipefail
cd "$(dirname "$0")/.."

bash cmake/packages.sh
bash cuda/cublas.sh  # where there is a CUDA toolkit
cmake --preset release >build-configure.log 2>&1 || { cat build-configure.log >&2; exit 1; }
mkdir -p build && mv build-configure.log build/configure.log
cmake --build --preset release
status=0
ctest --preset release -j "$(nproc)" --output-junit tests.xml || status=$?
python3 tests/skipped.py build/tests.xml || status=1
exit "$status"
