#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# must_not_compile.sh SAYS FILE COMPILER FLAGS...
# FILE compiles as it stands; with -DMUST_FAIL it does not, and the compiler says the sentence that
# stands in FILE after "// SAYS says: ".
set -euo pipefail
says=$1 file=$2
shift 2
export LC_ALL=C

sentence=$(sed -n "s|^// $says says: ||p" "$file")
[[ -n $sentence ]] || { echo "$file: no line '// $says says: ...'"; exit 1; }
"$@" -std=c++20 -fsyntax-only "$file" || { echo "$file: does not compile without MUST_FAIL"; exit 1; }
if output=$("$@" -std=c++20 -fsyntax-only -DMUST_FAIL "$file" 2>&1); then
  echo "$file: compiles, but must not"
  exit 1
fi
if ! grep -qF -- "$sentence" <<<"$output"; then
  printf 'expected the sentence\n  %s\nfound\n%s\n' "$sentence" "$output"
  exit 1
fi
