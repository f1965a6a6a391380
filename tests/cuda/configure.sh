#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Configures the library alone where CUDA is switched off or missing: one line says so, nothing
# breaks, and only STAMP_CUDA=ON insists.
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
expect misspelt 1 "STAMP_CUDA: expected AUTO, ON or OFF, found YES" -DSTAMP_CUDA=YES
