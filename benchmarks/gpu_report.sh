#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Everything that only a GPU can show, in less than ten minutes and without a network: the tests of
# operations and goldens on the CUDA engines, compute-sanitizer over the small shapes, our times and
# PyTorch's, and at last the Hopper attention kernel, which no GPU has run yet. Run gpu_bundle.sh
# first, elsewhere; this needs the repository, gpu-bundle/, a driver, and a python3 with PyTorch for
# its side. Writes report.txt, results.jsonl and logs.tar.gz.
#   bash benchmarks/gpu_report.sh [FOLDER, default $OUT or gpu-report]
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
out=${1:-${OUT:-gpu-report}}
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
logs=$work/logs
mkdir -p "$logs"
failed=0

say() { echo "$*" | tee -a "$out/report.txt"; }
finish() { tar -C "$work" -czf "$out/logs.tar.gz" logs; }
trap finish EXIT
: >"$out/report.txt"
: >"$out/results.jsonl"

[[ -f gpu-bundle/programs.tar.xz ]] || { say "no gpu-bundle/programs.tar.xz: run benchmarks/gpu_bundle.sh first"; exit 2; }
tar -C "$work" -xJf gpu-bundle/programs.tar.xz
# The programs look for goldens where their sources stood.
source_folder=$(cat "$work/source_folder")
if [[ ! -e $source_folder ]]; then
  mkdir -p "$(dirname "$source_folder")" && ln -s "$root" "$source_folder"
fi
cublas=$(python3 -c '
import glob, sys
for folder in sys.path:
    for inner in ("cu13", "cublas"):
        for found in glob.glob(folder + "/nvidia/" + inner + "/lib/libcublasLt.so.13"):
            print(found.rsplit("/", 1)[0])' 2>/dev/null | head -n 1)
export LD_LIBRARY_PATH=$work/lib:${cublas:+$cublas:}${LD_LIBRARY_PATH:-}
say "commit $(cat "$work/commit"), $(date -u +%Y-%m-%dT%H:%MZ)"
say "$(nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.sm,clocks.mem --format=csv,noheader 2>&1)"
say "cuBLASLt: ${cublas:-the one of the system}"

# name, seconds, command
run() {
  local name=$1 limit=$2 start=$SECONDS code=0
  shift 2
  timeout --kill-after=5 "$limit" "$@" >"$logs/$name.log" 2>&1 || code=$?
  [[ $code -eq 0 ]] || failed=1
  last=$code
  local sums
  sums=$(grep -hE '(PASSED|SKIPPED|FAILED).* [0-9]+ test|ERROR SUMMARY|RACECHECK SUMMARY' "$logs/$name.log" | tr -s ' \n' ' ')
  say "$(printf '%-34s exit %3d  %4d s  %s' "$name" "$code" $((SECONDS - start)) "$sums")"
}

say "== operations and goldens on the GPU"
for program in attend matmul weights norm pointwise embed_rotate memory sam_operations picture; do
  run "$program" 120 "$work/bin/${program}_test" --gtest_filter='*cuda_float*:*cuda_bfloat16*:*OfADevice*'
done
run host 60 "$work/bin/host_test"
run goldens 150 "$work/bin/goldens_test" --gtest_filter='*CudaIn*'
run sam_goldens 60 "$work/bin/sam_goldens_test" --gtest_filter='*CudaIn*'
run answer 60 "$work/bin/answer_test" --gtest_filter='*CudaAnswers*'
run parity 60 "$work/bin/stamp" parity --backend cuda --model tests/goldens/models/tied \
  --activations tests/goldens/activations/tied-single.safetensors --quiet
run segment 60 "$work/bin/stamp" segment --backend cuda --model examples/models/tiny examples/images/demo.png "the red circle" \
  --out "$work/answer" --quiet
run refine 60 "$work/bin/stamp" segment --backend cuda --model examples/models/tiny examples/images/demo.png "the red circle" \
  --refine examples/models/tiny-sam/model.safetensors --out "$work/refined" --quiet

say "== masks of 8-bit weights beside those of bf16, shipped model"
for dtype in bf16 int8 fp8; do
  for question in "demo the red circle" "balloons the red balloon" "mugs the blue mug" "marbles the green marble"; do
    picture=${question%% *}
    run "masks_${dtype}_$picture" 30 "$work/bin/stamp" segment --backend cuda --dtype "$dtype" --model examples/models/tiny \
      "examples/images/$picture.png" "${question#* }" --out "$work/masks/$dtype/$picture" --quiet
  done
done
run masks 30 python3 benchmarks/mask_agreement.py "$work/masks" int8 fp8
cat "$logs/masks.log" | tee -a "$out/report.txt"
sed -n 's/^{/{"side": "stamp", /p' "$logs/masks.log" >>"$out/results.jsonl"

say "== times"
measure() { # side, name, seconds, command
  local side=$1 name=$2
  shift
  run "$@"
  sed -n "s/^{/{\"side\": \"$side\", /p" "$logs/$name.log" >>"$out/results.jsonl"
}
measure torch torch 120 python3 benchmarks/gpu_peers.py
for part in operations 2b 7b sam int8 fp8; do
  measure stamp "stamp_$part" 60 "$work/bin/cuda_report" "$part"
done
python3 benchmarks/gpu_table.py "$out/results.jsonl" 2>&1 | tee -a "$out/report.txt"
say "== compute-sanitizer"
sanitizer=$(command -v compute-sanitizer || echo /usr/local/cuda/bin/compute-sanitizer)
if [[ -x $sanitizer ]]; then
  # What does not fit into the ten minutes is named, never passed over in silence.
  for tool in memcheck racecheck initcheck synccheck; do
    for program in attend norm pointwise embed_rotate matmul weights sam_operations picture; do
      # cuBLASLt's own kernels are many and not ours: of products only what stays in our hands.
      filter='*cuda_bfloat16*:*cuda_float*'
      [[ $program != matmul ]] || filter='*cuda_bfloat16.TakesWeights*'
      [[ $program != weights ]] || filter='*cuda_bfloat16*.ARowDoesNotDepend*'
      if ((SECONDS > 440)); then
        say "left out for time: ${tool}_$program"
        continue
      fi
      run "${tool}_$program" 40 "$sanitizer" --tool "$tool" --error-exitcode 9 \
        "$work/bin/${program}_test" --gtest_filter="$filter"
    done
  done
else
  say "no compute-sanitizer here"
  failed=1
fi

# Should the device hang now and the process with it, all that came before is written.
say "until here: $([[ $failed -eq 0 ]] && echo "all of it passed" || echo "SOMETHING FAILED")"
finish
say "== the Hopper attention kernel beside the mma.sync one"
if [[ $(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>&1 | head -n 1) == 9.0 ]]; then
  measure stamp_hopper stamp_hopper 60 "$work/bin/hopper_report"
  python3 benchmarks/gpu_table.py "$out/results.jsonl" stamp_hopper 2>&1 | tee -a "$out/report.txt"
  if ((last == 0 && SECONDS < 530)); then
    measure phases_hopper phases_hopper 40 "$work/bin/cuda_report" 2b_hopper
    python3 benchmarks/gpu_table.py "$out/results.jsonl" phases_hopper 2>&1 | tee -a "$out/report.txt"
  else
    say "left out after a failure or for time: phases_hopper"
  fi
  # A wrong kernel's place of error is worth knowing, a hanging one's is not to be had this way.
  if [[ -x $sanitizer ]] && ((last != 124 && last != 137 && SECONDS < 565)); then
    run memcheck_hopper 25 "$sanitizer" --tool memcheck --error-exitcode 9 "$work/bin/hopper_report" compare
  else
    say "left out after a hang or for time: memcheck_hopper"
  fi
else
  say "left out: this is not a device of compute capability 9.0"
fi

verdict="all of it passed"
[[ $failed -eq 0 ]] || verdict="SOMETHING FAILED"
say "$verdict in $SECONDS s"
exit $failed
