#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the project into a folder of its own and builds a stranger's project against it, then the
# same project with stamp as a subdirectory; runs what was built.
set -euo pipefail
cd "$(dirname "$0")/../.."
prefix=$PWD/build/consumer/prefix
rm -rf build/consumer
cmake --install build --prefix "$prefix" >/dev/null
# try NAME PROGRAMS FLAGS...
try() {
  local folder=build/consumer/$1 programs=$2
  shift 2
  cmake -S tests/consumer -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=Release --no-warn-unused-cli "$@" >/dev/null
  cmake --build "$folder" >/dev/null
  "$folder/headers_only"
  for program in $programs; do
    "$folder/$program" examples/models/tiny examples/images/demo.png "segment the red ball"
  done
}
try installed "segment reference" -DCMAKE_PREFIX_PATH="$prefix"
try subdirectory "segment reference" -DSTAMP_AS_SUBDIRECTORY="$PWD"
# Where a library is hidden from CMake, what does not need it is found all the same, and is not looked for.
hidden() { printf -- '-DCMAKE_DISABLE_FIND_PACKAGE_%s=ON ' "$@"; }
# shellcheck disable=SC2046  # several flags
try headers "" -DCMAKE_PREFIX_PATH="$prefix" -DSTAMP_COMPONENTS=stamp \
  $(hidden Eigen3 JPEG PkgConfig Threads nlohmann_json xtl CUDAToolkit)
# shellcheck disable=SC2046
try fast segment -DCMAKE_PREFIX_PATH="$prefix" -DSTAMP_COMPONENTS=cpu $(hidden Eigen3 CUDAToolkit)
if cmake -S tests/consumer -B build/consumer/unknown -G Ninja -DCMAKE_PREFIX_PATH="$prefix" \
  -DSTAMP_COMPONENTS=gpu >/dev/null 2>&1; then
  echo "find_package(stamp COMPONENTS gpu) found what is not there" >&2
  exit 1
fi
"$prefix/bin/stamp" info >/dev/null
echo "installed package: headers, library and command work"
