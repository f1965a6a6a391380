#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Reads the machine code of the kernels, which needs no GPU: the matrix kernels use tensor cores, in
# every architecture that was built, the products of 8-bit weights have four loads of 16 bytes under
# way before they use one, and no kernel keeps registers in local memory.
# usage: sass.sh CUOBJDUMP LIBRARY; 77 where there is no cuobjdump
set -euo pipefail
dump=$1
library=$2
if [[ ! -x $dump ]]; then
  echo "SKIPPED: no cuobjdump here; bash cuda/cublas.sh brings one"
  exit 77
fi
# cuobjdump calls nvdisasm, which stands beside it.
PATH=$(dirname "$dump"):$PATH "$dump" --dump-sass "$library" | awk '
  /^[[:space:]]*arch = / { arch = $3 }
  /Function : / { kernel = $3; kernels[arch]++ }
  /[[:space:]](LDL|STL)[.[:space:]]/ { spilled[arch " " kernel] = 1 }
  /HMMA\.16816\.F32\.BF16/ { if (kernel ~ /tensor/) matrix[arch " " kernel] = 1 }
  kernel ~ /6tensorILi/ { wanted[arch " " kernel] = 1 }
  kernel ~ /(6skinny|12swiglu_codes)INS_8bfloat16E(a|NS0_11float8_e4m3)E/ {
    name = arch " " kernel
    if (name != last || /FFMA/) run = 0
    if (/LDG\.E\.128/) run++
    if (run > codes[name]) codes[name] = run
    last = name
  }
  END {
    for (arch in kernels) printf "%s: %d kernels\n", arch, kernels[arch]
    for (name in spilled) { print "local memory: " name; bad = 1 }
    for (name in wanted) { count++; if (!(name in matrix)) { print "no tensor cores: " name; bad = 1 } }
    for (name in codes) { streams++; if (codes[name] < 4) { print "few wide loads at once: " name; bad = 1 } }
    if (streams < 4) { print "expected four kernels of 8-bit weights an architecture, found " streams; bad = 1 }
    if (count < 6) { print "expected six matrix kernels an architecture, found " count; bad = 1 }
    printf "%d matrix kernels use tensor cores, %d kernels stream 8-bit weights\n", count, streams
    exit bad
  }'
