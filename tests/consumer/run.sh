#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the project into a folder of its own and builds a stranger's project against it, then the
# same project with stamp as a subdirectory; runs what was built.
set -euo pipefail
cd "$(dirname "$0")/../.."
prefix=$PWD/build/consumer/prefix
rm -rf build/consumer
cmake --install build --prefix "$prefix" >/dev/null
try() {
  local folder=build/consumer/$1
  shift
  cmake -S tests/consumer -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=Release "$@" >/dev/null
  cmake --build "$folder" >/dev/null
  "$folder/headers_only"
  for program in segment reference; do
    "$folder/$program" examples/models/tiny examples/images/demo.png "segment the red ball"
  done
}
try installed -DCMAKE_PREFIX_PATH="$prefix"
try subdirectory -DSTAMP_AS_SUBDIRECTORY="$PWD"
"$prefix/bin/stamp" info >/dev/null
echo "installed package: headers, library and command work"
