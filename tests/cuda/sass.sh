#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Reads the machine code of the kernels, which needs no GPU: the matrix kernels use tensor cores, in
# every architecture that was built, no kernel keeps registers in local memory, and the kernel whose
# pixels are to be the host's contracts no product and sum.
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
  kernel ~ /threshold_rows/ { exact[arch " " kernel] = 1 }
  kernel ~ /threshold_rows/ && /[[:space:]]FFMA[.[:space:]]/ { contracted[arch " " kernel] = 1 }
  kernel ~ /6tensorILi/ { wanted[arch " " kernel] = 1 }
  END {
    for (arch in kernels) printf "%s: %d kernels\n", arch, kernels[arch]
    for (name in spilled) { print "local memory: " name; bad = 1 }
    for (name in contracted) { print "products contracted with sums: " name; bad = 1 }
    for (name in exact) exact_count++
    if (exact_count < 1) { print "expected a kernel threshold_rows, found none"; bad = 1 }
    for (name in wanted) { count++; if (!(name in matrix)) { print "no tensor cores: " name; bad = 1 } }
    if (count < 6) { print "expected six matrix kernels an architecture, found " count; bad = 1 }
    printf "%d matrix kernels use tensor cores\n", count
    exit bad
  }'
