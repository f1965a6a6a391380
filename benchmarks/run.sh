#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds and runs every benchmark, writes results/*.json and results/mask_pass.svg, and the tables of
# README.md from them. Needs nothing but the build's own requirements. Run it on a quiet machine.
#   bash benchmarks/run.sh [BUILD FOLDER]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${1:-$here/../build}
results=$here/results
mkdir -p "$results"
[[ -f $build/CMakeCache.txt ]] || cmake -S "$here/.." -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release
cmake --build "$build" --target benchmarks -j 1
for program in operations blocks mask_pass cpu; do
  [[ -x $build/benchmarks/${program}_benchmark ]] || continue  # cpu: x86-64 only
  # From the build folder: a report names the program as it was called.
  (cd "$build" && "benchmarks/${program}_benchmark" --benchmark_out="$results/$program.json" \
    --benchmark_out_format=json)
done
python3 "$here/report.py" "$results" "$here/README.md"
