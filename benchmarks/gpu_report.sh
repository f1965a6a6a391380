#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Everything that only a GPU can show, in less than ten minutes and without a network: the tests of
# operations and goldens on the CUDA engines, our times, PyTorch's and the goals, the Hopper
# attention kernel, which no GPU has run yet, and compute-sanitizer over small shapes. Needs the
# repository, a driver, a python3 with PyTorch and transformers, and gpu-bundle/, which
# gpu_bundle.sh makes elsewhere; without it, nvcc, cmake, ninja and this project's libraries.
# Writes report.txt, results.jsonl, readings.txt (every time) and logs.tar.gz, section by section.
#   bash benchmarks/gpu_report.sh [--seconds 570] [FOLDER, default $OUT or gpu-report]
# Exit code 0: all of it passed. 1: something failed. 2: nothing to run. 3: something was left out.
# What is below its goal is said, and no failure.
set -uo pipefail
deadline=570
if [[ ${1:-} == --seconds ]]; then
  deadline=${2:?gpu_report.sh: expected a number of seconds}
  shift 2
fi
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
PATH+=:/usr/local/cuda/bin
out=${1:-${OUT:-gpu-report}}
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
logs=$work/logs
mkdir -p "$logs" "$work/ended"
read -ra peers <<<"${GPU_PEERS:-python3 benchmarks/gpu_peers.py}"
failed=()
left_out=()

say() { echo "$*" | tee -a "$out/report.txt"; }
left() { echo $((deadline - SECONDS)); }
# Whoever ends this script early finds what was done before.
finish() {
  find "$logs" -size +1M | while read -r log; do # floods of one complaint
    { head -c 400000 "$log" && printf '\n…\n' && tail -c 400000 "$log"; } >"$work/short" && mv "$work/short" "$log"
  done
  tar -C "$work" -czf "$work/logs.tar.gz" logs && cp "$work/logs.tar.gz" "$out/"
  [[ ! -s $out/results.jsonl ]] || python3 benchmarks/gpu_table.py --all "$out/results.jsonl" >"$out/readings.txt" 2>&1
}
trap 'finish; rm -rf "$work"' EXIT
trap 'for job in $(jobs -p); do pkill -P "$job"; done; exit 1' TERM INT
: >"$out/report.txt"
: >"$out/results.jsonl"
stop() {
  say "$*"
  exit 2
}

# begin NAME SECONDS COMMAND …: in the background, never past the deadline.
optional= # what becomes of it is one line, and neither a failure nor left out
names=()
limits=()
wanted=()
ends=()
begin() {
  local name=$1 limit=$2 allowed
  shift 2
  allowed=$(($(left) - 6)) # the verdict takes time, too
  if [[ $optional ]] && ((allowed < 2)); then
    say "$name: not available: no time is left"
    last=125
    return
  fi
  if ((allowed < 2)); then
    [[ ${out_of_time:-} ]] || say "out of time from $name on: what is left out is named at the end"
    out_of_time=yes
    left_out+=("$name")
    last=125
    return
  fi
  names+=("$name")
  wanted+=("$limit")
  ((limit <= allowed)) || limit=$allowed
  limits+=("$limit")
  ends+=($((SECONDS + limit)))
  (
    start=$SECONDS
    timeout --kill-after=2 "$limit" "$@" >"$logs/$name.log" 2>&1
    echo "$? $((SECONDS - start))" >"$work/ended/$name.part"
    mv "$work/ended/$name.part" "$work/ended/$name"
  ) >/dev/null 2>&1 &
}

# Waits for what was begun and says how it ended. A process that a device holds may outlive its kill.
last=0 # exit code of what ended last; 125 where it was left out
settle() {
  local at name code seconds more
  for at in "${!names[@]}"; do
    name=${names[at]}
    until [[ -f $work/ended/$name ]] || ((SECONDS > ends[at] + 4)); do sleep 0.05; done
    read -r code seconds < <(cat "$work/ended/$name" 2>/dev/null || echo "137 ${limits[at]}")
    last=$code
    more=$(grep -hE '(PASSED|SKIPPED|FAILED).* [0-9]+ test|ERROR SUMMARY|RACECHECK SUMMARY' "$logs/$name.log" | tr -s ' \n' ' ')
    if [[ $optional ]] && ((code == 124 || code == 137)); then
      more="not available: stopped after ${limits[at]} s"
    elif [[ $optional ]] && ((code != 0)); then
      more="not available: $(grep -v '^ *$' "$logs/$name.log" | tail -n 1 | cut -c 1-160)"
    elif ((code == 124 || code == 137)) && ((limits[at] < wanted[at])); then
      left_out+=("$name")
      more="stopped: no time is left"
    elif ((code == 124 || code == 137)); then
      failed+=("$name")
      more="HANGS or takes longer than ${limits[at]} s"
    elif ((code != 0)); then
      failed+=("$name")
      more+=" $(grep -hE '^\[  FAILED  \] [A-Z]' "$logs/$name.log" | sort -u | head -n 3 | cut -c 14- | tr '\n' ';')"
      more+=" $(grep -v '^ *$' "$logs/$name.log" | tail -n 1 | cut -c 1-160)"
    elif [[ $more == *"PASSED ] 0 tests"* ]]; then # a filter without a test, or none that a device was there for
      failed+=("$name")
      more+=" NOTHING RAN"
    fi
    say "$(printf '%-30s exit %3d  %4d s  %s' "$name" "$code" "$seconds" "$more")"
  done
  names=()
  limits=()
  wanted=()
  ends=()
}
run() {
  begin "$@"
  settle
}
# Its JSON lines are readings of that side; who is killed may leave half of one.
measure() { # side, name, seconds, command
  local side=$1 name=$2
  shift
  run "$@"
  [[ ! -f $logs/$name.log ]] || sed -n "s/^{\(.*\)}\$/{\"side\": \"$side\", \1}/p" "$logs/$name.log" >>"$out/results.jsonl"
}
clocks() {
  say "$(timeout 20 nvidia-smi --query-gpu=clocks.sm,clocks.mem,temperature.gpu,power.draw --format=csv,noheader 2>&1 | head -n 1)"
}

device=$(timeout 20 nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>&1 | head -n 1) ||
  stop "no GPU here: nvidia-smi says: ${device:-nothing}"
if [[ -f gpu-bundle/programs.tar.xz ]]; then
  tar -C "$work" -xJf gpu-bundle/programs.tar.xz 2>/dev/null ||
    python3 -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])' gpu-bundle/programs.tar.xz "$work" \
      2>"$logs/unpack.log" || stop "gpu-bundle/programs.tar.xz cannot be unpacked: $(tail -n 1 "$logs/unpack.log")"
else
  for tool in nvcc cmake ninja; do
    command -v $tool >/dev/null || stop "no gpu-bundle/programs.tar.xz, and no $tool to build with: run benchmarks/gpu_bundle.sh first"
  done
  say "no gpu-bundle/programs.tar.xz: building here"
  run build 300 bash benchmarks/gpu_bundle.sh --into "$work"
  ((last == 0)) || stop "this project cannot be built here: run benchmarks/gpu_bundle.sh where its libraries are"
fi
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
commit=$(cat "$work/commit")
say "commit $commit, $(date -u +%Y-%m-%dT%H:%MZ), $deadline s at most"
say "$device"
say "cuBLASLt: ${cublas:-the one of the system}"
printf '{"side": "run", "kind": "run", "name": "report", "commit": "%s", "date": "%s", "device": "%s"}\n' \
  "$commit" "$(date -u +%F)" "${device//[\"\\]/}" >>"$out/results.jsonl"

# Tests skip where no device can be used: that would look like success.
run device 60 "$work/bin/norm_test" --gtest_filter='*cuda_bfloat16.EqualThePlainLoop'
((${#failed[@]} == 0)) || stop "our programs cannot use this GPU: $(grep -A 1 ': Skipped$' "$logs/device.log" | tail -n 1)"

say "== operations and goldens on the GPU, side by side"
for program in attend matmul weights norm pointwise embed_rotate top_k memory sam_operations picture mask_head; do
  begin "$program" 120 "$work/bin/${program}_test" --gtest_filter='*cuda_float*:*cuda_bfloat16*:*OfADevice*'
done
begin host 60 "$work/bin/host_test"
begin goldens 150 "$work/bin/goldens_test" --gtest_filter='*CudaIn*'
begin sam_goldens 60 "$work/bin/sam_goldens_test" --gtest_filter='*CudaIn*'
begin draft_goldens 150 "$work/bin/draft_goldens_test" --gtest_filter='*DraftGoldens.Cuda*'
begin repeated_goldens 120 "$work/bin/repeated_test" --gtest_filter='*RepeatedOnCuda*'
begin answer 60 "$work/bin/answer_test" --gtest_filter='*CudaAnswers*'
begin parity 60 "$work/bin/stamp" parity --backend cuda --model tests/goldens/models/tied \
  --activations tests/goldens/activations/tied-single.safetensors --quiet
begin segment 60 "$work/bin/stamp" segment --backend cuda --model examples/models/tiny examples/images/demo.png "the red circle" \
  --out "$work/answer" --quiet
begin refine 60 "$work/bin/stamp" segment --backend cuda --model examples/models/tiny examples/images/demo.png "the red circle" \
  --refine examples/models/tiny-sam/model.safetensors --out "$work/refined" --quiet
settle
finish

say "== masks of 8-bit weights beside those of bf16, shipped model"
# Of each picture the first question that has a mask.
cat >"$work/questions" <<'END'
demo.png segment the red ball
mugs.png the red mug
marbles.png the orange ball
toys.png the purple box
two_reds.png the red ball on the left
night_table.jpg the white ball
cones.png the blue ball
bricks.png the red block
traffic_light.png the red circle
balloons.png the red balloon
fruit.png the red apple
cards.png the red heart
target.png the red ring
numbers.png the number 3
house.png the yellow circle
car.png the blue car
signs.png the blue square
night.png the yellow star
flags.png the white cross
fish.png the orange fish
END
# shellcheck disable=SC2016 # its own words
ask='while read -r picture question; do
  "$1" segment --backend cuda --dtype "$2" --model examples/models/tiny "examples/images/$picture" "$question" \
    --out "$3/$2/$picture" --quiet </dev/null || exit
done <"$4"'
for dtype in bf16 int8 fp8; do
  begin "masks_$dtype" 100 bash -c "$ask" ask "$work/bin/stamp" "$dtype" "$work/masks" "$work/questions"
done
settle
measure stamp masks 30 python3 benchmarks/mask_agreement.py "$work/masks" int8 fp8
finish

say "== times"
clocks
measure torch torch 100 "${peers[@]}" ceilings operations
measure stamp operations 90 "$work/bin/cuda_report" operations
measure stamp 2b 60 "$work/bin/cuda_report" 2b
measure torch torch_2b 90 "${peers[@]}" 2b
measure stamp 7b 60 "$work/bin/cuda_report" 7b
measure torch torch_7b 90 "${peers[@]}" 7b
finish
for part in repeated sam int8 fp8; do
  measure stamp "$part" 60 "$work/bin/cuda_report" "$part"
done
measure torch torch_sam 60 "${peers[@]}" sam
measure torch torch_after 40 "${peers[@]}" ceilings
clocks
python3 benchmarks/gpu_table.py "$out/results.jsonl" >"$work/goals" 2>&1
tee -a "$out/report.txt" <"$work/goals"
finish

say "== the Hopper attention kernel beside the mma.sync one"
hopper=absent
if [[ $(timeout 20 nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>&1 | head -n 1) == 9.0 ]]; then
  measure stamp_hopper hopper 40 "$work/bin/hopper_report" compare
  hopper=$last
  if ((hopper == 0)); then
    measure stamp_hopper hopper_times 40 "$work/bin/hopper_report" times
    measure stamp_hopper hopper_2b 40 "$work/bin/cuda_report" 2b_hopper
    measure stamp_hopper hopper_7b 60 "$work/bin/cuda_report" 7b_hopper
  else
    say "left out, as the comparison was not passed: hopper_times hopper_2b hopper_7b"
    left_out+=(hopper_times hopper_2b hopper_7b)
  fi
else
  say "left out: this is not a device of compute capability 9.0"
fi
finish

say "== compute-sanitizer, four tools side by side"
if ! sanitizer=$(command -v compute-sanitizer); then
  say "no compute-sanitizer here"
  failed+=(compute-sanitizer)
elif run sanitizer 40 "$sanitizer" --tool memcheck --error-exitcode 9 "$work/bin/norm_test" --gtest_filter='*cuda_bfloat16.EqualThePlainLoop' &&
  refused=$(grep -s -m 1 -iE 'device not supported|librarynotloaded|failed to initialize|unable to (attach|find)|insufficient permission' "$logs/sanitizer.log"); then
  say "compute-sanitizer refuses this device: $refused"
  failed+=(compute-sanitizer)
else
  # Short tests that reach every kernel; what matters most first. cuBLASLt's own kernels are many
  # and not ours: of products only what stays in our hands.
  while read -r program filter; do
    for tool in memcheck racecheck initcheck synccheck; do
      begin "${tool}_$program" 50 "$sanitizer" --tool $tool --error-exitcode 9 "$work/bin/${program}_test" --gtest_filter="$filter"
    done
    settle
    finish
  done <<'END'
attend *cuda_bfloat16.MaskRowsAndMaskBlocks*:*cuda_bfloat16.BlockDiagonal*:*cuda_bfloat16.ManyKeys*
weights *cuda_bfloat16*.ARowDoesNotDepend*:*cuda_bfloat16*.GateAndUp*:*cuda_bfloat16*.QueryKeyAndValue*
norm *cuda_bfloat16*
embed_rotate *cuda_bfloat16*
top_k *cuda_bfloat16.KeepsAllThatEqual*:*cuda_bfloat16.ReadsRows*
matmul *cuda_bfloat16.TakesWeights*:*cuda_bfloat16.QueryKeyAndValue*
picture *cuda_bfloat16.PatchesAreTheHosts
mask_head *cuda_bfloat16*
sam_operations *cuda_bfloat16.AttentionAdds*:*cuda_bfloat16.AttentionStays*:*cuda_bfloat16.GatherRowsTakes*
pointwise *cuda_bfloat16*
END
  # A wrong kernel's place of error is worth knowing, a hanging one's is not to be had this way.
  if [[ $hopper == [01] ]]; then
    run memcheck_hopper 60 "$sanitizer" --tool memcheck --error-exitcode 9 "$work/bin/hopper_report" small
  fi
  for tool in memcheck racecheck; do
    begin "${tool}_attend_float" 40 "$sanitizer" --tool $tool --error-exitcode 9 "$work/bin/attend_test" --gtest_filter='*cuda_float.MaskRowsAndMaskBlocks*'
  done
  settle
  # A dialogue whose steps are recorded and replayed. Its longer products are cuBLASLt's.
  for tool in memcheck initcheck; do
    begin "${tool}_graphs" 90 "$sanitizer" --tool $tool --error-exitcode 9 "$work/bin/goldens_test" \
      --gtest_filter='*.CudaInBf16TellsFromGraphsWhatPlainLaunchesTell/tiny16_last_seg'
  done
  settle
fi

say "== transformers over a cache of fixed length, plain and compiled, as a graph"
optional=yes
measure torch torch_compiled 110 env TORCHINDUCTOR_CACHE_DIR="$work/inductor" TRITON_CACHE_DIR="$work/triton" \
  "${peers[@]}" 2b_compiled 7b_compiled

say "== goals"
python3 benchmarks/gpu_table.py "$out/results.jsonl" >"$work/goals" 2>&1 || failed+=(readings)
tee -a "$out/report.txt" <"$work/goals"
code=0
verdict="all of it passed"
if ((${#left_out[@]} > 0)); then
  code=3
  verdict="what ran passed"
  say "LEFT OUT: ${left_out[*]}"
fi
if ((${#failed[@]} > 0)); then
  code=1
  verdict="SOMETHING FAILED: ${failed[*]}"
fi
say "$verdict, in $SECONDS s"
exit $code
