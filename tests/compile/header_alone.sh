#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# header_alone.sh HEADER COMPILER FLAGS...
# A unit of nothing but HEADER, twice, compiles without a warning.
set -euo pipefail
header=$1
shift
printf '#include <%s>\n#include <%s>\n' "$header" "$header" |
  "$@" -std=c++20 -fsyntax-only -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -x c++ -
