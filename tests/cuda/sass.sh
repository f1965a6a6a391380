#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Reads the machine code of the kernels, which needs no GPU: the matrix kernels use tensor cores, in
# every architecture that was built, the products of few rows have several loads of 16 bytes of
# weights under way before they use one, kernels that may overlap wait for those before them ahead of
# any memory, no kernel adds atomically, so that sums have one order, and none keeps registers in
# local memory.
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
  /^[[:space:]]*arch = / { arch = $3; kernel = "" }
  /Function : / { kernel = $3; kernels[arch]++ }
  # Three Hopper kernels multiply by warpgroups what box copies bring, hand registers from
  # warpgroup to warpgroup, and wait for products only where their source does: four groups each.
  kernel ~ /6hopperILi/ { hopper[arch " " kernel] = 1 }
  /[[:space:]]HGMMA\.64x128x16\.F32\.BF16/ { warpgroups[arch " " kernel] = 1 }
  /[[:space:]]HGMMA.*gsb0/ { groups[arch " " kernel]++ }
  /[[:space:]]UTMALDG\.3D/ { boxes[arch " " kernel] = 1 }
  /[[:space:]]USETMAXREG/ { handed[arch " " kernel]++ }
  /[[:space:]](ATOM[GS]?|RED[GS]?|SUATOM|SURED|UTMAREDG|UBLKRED)[.[:space:]]/ { atomic[arch " " kernel] = 1 }
  /[[:space:]](LDL|STL)[.[:space:]]/ { spilled[arch " " kernel] = 1 }
  /HMMA\.16816\.F32\.BF16/ { if (kernel ~ /tensor/) matrix[arch " " kernel] = 1 }
  kernel ~ /6tensorILi/ { wanted[arch " " kernel] = 1 }
  # griddepcontrol.wait. All kernels have it but the one of Hopper, which is launched otherwise, and
  # the probe, which is not launched.
  arch ~ /sm_90/ && /Function : / && kernel !~ /6hopperILi|7nothingEv/ { overlapping[kernel] = 1 }
  /[[:space:]]ACQBULK/ { waits[kernel] = 1 }
  arch ~ /sm_90/ && !(kernel in waits) && /[[:space:]](LDG|LDGSTS|LD|STG|ST|ATOM|ATOMG|RED|REDG)\./ { early[kernel] = 1 }
  # Products of few rows. Their weights, and nothing else, are loaded evict-first.
  kernel ~ /(6skinny|11swiglu_pair)ILb[01]E/ {
    name = arch " " kernel
    if (name != last || /FFMA/) run = 0
    if (/LDG\.E\.EF\.128/) run++
    if (run > ahead[name]) ahead[name] = run
    last = name
  }
  END {
    for (arch in kernels) printf "%s: %d kernels\n", arch, kernels[arch]
    for (name in hopper) {
      hoppers++
      if (name !~ /^sm_90a /) { print "Hopper kernel elsewhere: " name; bad = 1 }
      if (!(name in warpgroups)) { print "no warpgroup products: " name; bad = 1 }
      if (!(name in boxes)) { print "no box copies: " name; bad = 1 }
      if (handed[name] != 2) { print "registers are not handed on: " name; bad = 1 }
      if (groups[name] != 4) { print "products are waited for one by one: " name; bad = 1 }
    }
    if (hoppers != 3) { print "expected three Hopper kernels, found " hoppers + 0; bad = 1 }
    printf "%d kernels multiply by warpgroups\n", hoppers
    for (name in overlapping) {
      overlaps++
      if (!(name in waits)) { print "does not wait for earlier kernels: " name; bad = 1 }
      if (name in early) { print "memory ahead of the wait for earlier kernels: " name; bad = 1 }
    }
    printf "%d kernels wait for earlier ones ahead of any memory\n", overlaps
    for (name in atomic) { print "atomic: " name; bad = 1 }
    for (name in spilled) { print "local memory: " name; bad = 1 }
    for (name in wanted) { count++; if (!(name in matrix)) { print "no tensor cores: " name; bad = 1 } }
    for (name in ahead) {
      streams++
      wide = name ~ /ENS_8bfloat16E(a|NS0_11float8_e4m3)E/ ? 4 : 6
      if (ahead[name] < wide) { print "few loads of weights at once: " name ": " ahead[name]; bad = 1 }
    }
    if (streams < 16) { print "expected sixteen products of few rows an architecture, found " streams + 0; bad = 1 }
    if (count < 6) { print "expected six matrix kernels an architecture, found " count; bad = 1 }
    printf "%d matrix kernels use tensor cores, %d products stream weights for few rows\n", count, streams
    exit bad
  }'
