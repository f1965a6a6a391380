#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# two_units.sh LIBRARIES COMPILER FLAGS... -- HEADERS...
# Two units that include every header and build the same model link into one program with a third
# that holds the definitions, without any library of ours, and mean the same object by one name:
# nothing is defined twice, nothing has internal linkage by mistake, nothing lacks a definition.
set -euo pipefail
libraries=$1
shift
compiler=()
while [[ $1 != -- ]]; do compiler+=("$1"); shift; done
shift
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for unit in one two; do
  {
    printf '#include <%s>\n' "$@"
    cat <<CODE
using Model = stamp::Stamp<stamp::reference::Engine<float>>;
const void* $unit() {
  static_assert(sizeof(Model) > 0);
  return &Model::parts;
}
stamp::Answer ask_$unit(const char* folder) {
  auto model = stamp::load<stamp::reference::Backend>(folder);
  return stamp::segment(model, stamp::read_image("picture.png"), "the red ball");
}
CODE
  } >"$folder/$unit.cpp"
done
cat >"$folder/main.cpp" <<'CODE'
const void* one();
const void* two();
int main() { return one() == two() ? 0 : 1; }
CODE
definitions='#include <stamp/formats.ipp>'
[[ " $* " != *" stamp/cpu.hpp "* ]] || definitions+=$'\n#include <stamp/cpu/cpu.ipp>'
echo "$definitions" >"$folder/definitions.cpp"
for unit in one two main definitions; do
  "${compiler[@]}" -std=c++20 -O0 -w -c "$folder/$unit.cpp" -o "$folder/$unit.o"
done
# shellcheck disable=SC2086  # several libraries
"${compiler[@]}" "$folder"/*.o $libraries -o "$folder/program"
"$folder/program"
