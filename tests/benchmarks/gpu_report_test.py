# SPDX-License-Identifier: Apache-2.0
"""benchmarks/gpu_report.sh without a GPU: programs, nvidia-smi and compute-sanitizer are small scripts that say what the
real ones would, hang or fail; PyTorch's side is said, too, and for one part really run at tiny sizes where PyTorch is.
What must hold: the report's sentences and exit codes, the deadline, and that a kill loses nothing that was done."""
import array
import concurrent.futures
import fnmatch
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
# What gpu_bundle.sh packs.
PROGRAMS = [pathlib.Path(path).name for path in subprocess.run(
    ["bash", "-c", f"eval \"$(grep '^programs' '{ROOT}/benchmarks/gpu_bundle.sh')\" && echo ${{programs[@]}}"],
    capture_output=True, text=True, check=True).stdout.split()]
# Tests that ask for a device and need none: their CUDA runtime is one of host memory.
OVER_HOST_MEMORY = {"cuda/runtime/device_test.cpp", "cuda/runtime/lost_device_test.cpp"}

# Named after the program that it stands for. BREAK and HANG name what fails and what never ends.
PROGRAM = r"""#!/bin/bash
name=${0##*/}
if [[ " $HANG " == *" $name-$1 "* ]]; then
  trap '' TERM
  printf '{"kind": "phase", "name": "half a line'
  while true; do sleep 1; done
fi
if [[ " $BREAK " == *" $name "* ]]; then
  echo '[  FAILED  ] Codes/cuda_bfloat16.OneThing'
  echo 'it went wrong'
  exit 1
fi
case $name-$1 in
  norm_test-*)
    [[ -z $DRIVER_TOO_OLD ]] || { printf '%s\n' 'a.hpp:2: Skipped' 'no device: the driver is too old' '[  PASSED  ] 0 tests.'; exit; }
    printf '%s\n' "ran $name $1" '[  PASSED  ] 1 test.' ;;
  *_test-*) printf '%s\n' "ran $name $1" '[  PASSED  ] 3 tests.' ;;
  cuda_report-[27]b_hopper) echo '{"kind": "phase", "name": "'${1%_hopper}'_mask_pass", "ms": 6.0, "operations": 3e12, "bytes": 3e9}' ;;
  cuda_report-[27]b)
    echo '{"kind": "phase", "name": "'$1'_decode_token", "ms": 1.5, "operations": 3e9, "bytes": 3e9}'
    echo '{"kind": "bits", "name": "'$1'_graphs_and_plain_launches", "equal": true, "finite": true}' ;;
  cuda_report-repeated) for part in words {one_object,two_objects,three_objects}_a_pass; do
      echo '{"kind": "repeats", "name": "2b_'$part'", "same": 100, "of": 100, "finite": true}'
    done ;;
  cuda_report-operations) echo '{"kind": "product", "name": "2b_qkv_1", "ms": 0.002, "recorded": 20, "tflops": 2.4, "gbytes_per_s": 2360}' ;;
  hopper_report-compare) echo '{"kind": "compare", "name": "causal", "largest_difference": 0.001, "beyond": 0, "changed": 0, "of": 9}' ;;
  hopper_report-times) echo '{"kind": "attention", "name": "mask_2b_hopper", "ms": 0.02, "recorded": 20, "tflops": 684, "gbytes_per_s": 900}' ;;
esac
"""
NVIDIA_SMI = r"""#!/bin/bash
[[ -z $NO_DEVICE ]] || { echo 'No devices were found'; exit 6; }
case $1 in
  *name*) echo 'Test GPU, 1.2.3, 1000 MiB' ;;
  *compute_cap*) echo 9.0 ;;
  *) echo '1980 MHz, 3201 MHz, 40, 100 W' ;;
esac
"""
SANITIZER = r"""#!/bin/bash
[[ -z $REFUSED ]] || { echo 'Error: Device not supported. Please refer to the list'; exit 1; }
while [[ $1 == --* ]]; do [[ $1 == --tool ]] && shift; [[ $1 == --error-exitcode ]] && shift; shift; done
"$@"
echo '========= ERROR SUMMARY: 0 errors'
"""
PEERS = r"""#!/bin/bash
if [[ $* == ceilings && -n $PYTHON_WITH_TORCH ]]; then
  OMP_NUM_THREADS=1 exec "$PYTHON_WITH_TORCH" benchmarks/gpu_peers.py --tiny --device cpu ceilings
fi
for part in "$@"; do
  case $part in
    ceilings) echo '{"kind": "ceiling", "name": "square_8192", "ms": 1.4, "tflops": 780, "gbytes_per_s": 280}'
      echo '{"kind": "ceiling", "name": "copy", "ms": 1, "tflops": 0, "gbytes_per_s": 4000}' ;;
    operations) echo '{"kind": "product", "name": "2b_qkv_1", "ms": 0.0018, "recorded": 20, "tflops": 2.6, "gbytes_per_s": 2600}'
      echo '{"kind": "attention", "name": "mask_2b_flash", "ms": 0.019, "recorded": 20, "tflops": 720, "gbytes_per_s": 900}' ;;
    2b|7b) echo '{"kind": "phase", "name": "'$part'_decode_token", "ms": 20}' ;;
    2b_compiled)
      [[ " $BREAK " != *" peers "* ]] || { printf 'Traceback\nImportError: no StaticCache\n'; exit 1; }
      [[ " $HANG " != *" peers "* ]] || sleep 100
      echo '{"kind": "phase", "name": "2b_static_decode_token", "ms": 2}' ;;
    7b_compiled) echo '{"kind": "peer", "name": "7b_compiled", "failed": "RuntimeError: no compiler"}' ;;
    sam) echo '{"kind": "phase", "name": "sam_vit_h_image", "ms": 20}' ;;
    *) exit 2 ;;
  esac
done
"""
MASKS = """print('{"kind": "masks", "name": "int8_against_bf16", "iou": 0.99, "masks": 4, "flipped": 2, "cells": 2400, "same_words": 4, "answers": 4}')\n"""
# Configures, and builds the same scripts; BREAK=cmake is a library that is not there.
CMAKE = r"""#!/bin/bash
[[ " $BREAK " != *" cmake "* ]] || { echo 'Could NOT find GTest' >&2; exit 1; }
[[ $1 == --build ]] || exit 0
mkdir -p "$2/tests" "$2/benchmarks"
cp "$FAKES"/*_test "$2/tests/"
cp "$FAKES"/*_report "$2/benchmarks/"
cp "$FAKES"/stamp "$2/"
"""


class Machine:
    """A repository with a bundle, and the commands of a machine with a GPU."""

    def __init__(self, bundle=True):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name) / "repository"
        self.out = pathlib.Path(self.folder.name) / "out"
        self.commands, self.programs = (pathlib.Path(self.folder.name) / name for name in ("commands", "bin"))
        for folder in (self.root / "benchmarks", self.root / "gpu-bundle", self.commands, self.programs):
            folder.mkdir(parents=True)
        for name in ("gpu_report.sh", "gpu_bundle.sh", "gpu_table.py", "gpu_peers.py"):
            shutil.copy(ROOT / "benchmarks" / name, self.root / "benchmarks")
        (self.root / "benchmarks/mask_agreement.py").write_text(MASKS)
        for name in PROGRAMS:
            self.script(self.programs / name, PROGRAM)
        for name, text in (("nvidia-smi", NVIDIA_SMI), ("compute-sanitizer", SANITIZER), ("peers", PEERS), ("cmake", CMAKE),
                           ("nvcc", "#!/bin/bash\n"), ("ninja", "#!/bin/bash\n")):
            self.script(self.commands / name, text)
        if bundle:
            (self.programs.parent / "source_folder").write_text(str(self.root))
            (self.programs.parent / "commit").write_text("0123456789")
            with tarfile.open(self.root / "gpu-bundle/programs.tar.xz", "w:xz") as archive:
                for name in ("bin", "source_folder", "commit"):
                    archive.add(self.programs.parent / name, name)

    @staticmethod
    def script(path, text):
        path.write_text(text)
        path.chmod(0o755)

    def start(self, seconds=60, **settings):
        environment = {"PATH": f"{self.commands}:/usr/bin:/bin", "HOME": self.folder.name, "FAKES": str(self.programs),
                       "GPU_PEERS": str(self.commands / "peers"), "BREAK": "", "HANG": "",
                       "PYTHON_WITH_TORCH": ""} | settings
        return subprocess.Popen(["bash", self.root / "benchmarks/gpu_report.sh", "--seconds", str(seconds), self.out],
                                env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self, seconds=60, **settings):
        """Exit code, what was said, and how long it took."""
        begin = time.monotonic()
        process = self.start(seconds, **settings)
        said = process.communicate()[0]
        return process.returncode, said, time.monotonic() - begin

    def logs(self):
        with tarfile.open(self.out / "logs.tar.gz") as archive:
            return set(archive.getnames())

    def filters(self):
        """(program, pattern) of every test that was run."""
        with tarfile.open(self.out / "logs.tar.gz") as archive:
            said = "".join(archive.extractfile(name).read().decode() for name in archive.getnames() if name.endswith(".log"))
        return {(name, pattern) for name, patterns in re.findall(r"^ran (\w+) --gtest_filter=(.*)$", said, re.MULTILINE)
                for pattern in patterns.split(":")} | {(name, "*") for name in re.findall(r"^ran (\w+) $", said, re.MULTILINE)}


def check(holds, *about):
    if not holds:
        raise AssertionError("\n".join(str(each) for each in about))


def cases_for_a_gpu():
    """(program, case) of all tests that run where there is a device and skip elsewhere: those that ask why there is none, and
    the suites that are typed over the engines of CUDA, one of its instances each."""
    for path in sorted((ROOT / "tests").glob("*/**/*_test.cpp")):
        if str(path.relative_to(ROOT / "tests")) in OVER_HOST_MEMORY:
            continue
        text = path.read_text(encoding="utf-8")
        for start in re.split(r"^(?=(?:TYPED_)?TEST(?:_P|_F)?\()", text, flags=re.MULTILINE)[1:]:
            suite, case = re.match(r"\w+\((\w+),\s*(\w+)\)", start).groups()
            if re.search(r"\b(why_no_cuda|why_not_here|missing_device)\b", start):
                yield path.stem, f"{suite}.{case}"
        for suite, names in re.findall(r"^TYPED_TEST_SUITE\((\w+), .*, (\w+)\)", text, re.MULTILINE):
            if names == "EngineName" or '"cuda_' in text:
                yield path.stem, f"{suite}/cuda_bfloat16.Case"


def everything_passes():
    machine = Machine()
    machine.script(machine.commands / "xz", "#!/bin/bash\nexit 1\n")  # tar has no xz: Python unpacks
    python = ROOT / ".venv/bin/python"
    torch = python.exists() and subprocess.run([python, "-c", "import torch"], capture_output=True, check=False).returncode == 0
    code, said, _ = machine.run(PYTHON_WITH_TORCH=str(python) if torch else "")
    check(code == 0, code, said)
    for sentence in ("commit 0123456789", "Test GPU, 1.2.3, 1000 MiB", "all of it passed, in ",
                     "the Hopper kernel agrees in 1 of 1 comparisons", "masks int8_against_bf16: IoU 0.99",
                     "ceilings: 780 and ", "not available: 7b_compiled, RuntimeError: no compiler"):
        check(sentence in said, sentence, said)
    goals = [line for line in said.splitlines() if line.startswith("goals: ")]
    check(len(goals) == 2 and goals[-1] == "goals: 7 met, 48 not measured, 2 below: phase 2b_decode_token, product 2b_qkv_1", goals)
    check(said == (machine.out / "report.txt").read_text(), "report.txt is what was said")
    readings = [json.loads(line) for line in (machine.out / "results.jsonl").read_text().splitlines()]
    check({r["side"] for r in readings} == {"run", "torch", "stamp", "stamp_hopper"}, readings)
    check({"logs/attend.log", "logs/repeated.log", "logs/repeated_goldens.log", "logs/torch_after.log", "logs/memcheck_attend.log",
           "logs/synccheck_pointwise.log", "logs/memcheck_hopper.log", "logs/memcheck_graphs.log", "logs/initcheck_graphs.log"} <= machine.logs(), machine.logs())
    check("stamp_hopper" in (machine.out / "readings.txt").read_text(), "readings.txt")
    filters = machine.filters()
    cases = set(cases_for_a_gpu())
    for known in (("attend_test", "Attend/cuda_bfloat16.Case"), ("draft_goldens_test", "DraftGoldens.CudaSamplesTheSame"),
                  ("weights_test", "Codes/cuda_bfloat16.Case"), ("weights_test", "Weights.OfADeviceAskForTheirScratchOnce")):
        check(known in cases, known, cases)
    for program, case in cases:
        check(program in PROGRAMS, f"gpu_bundle.sh does not pack {program}, which has {case}")
        check(any(name == program and fnmatch.fnmatchcase(case, pattern) for name, pattern in filters),
              f"gpu_report.sh does not run {case} of {program}", filters)
    check(len(list(machine.out.iterdir())) == 4, list(machine.out.iterdir()))


def failures_are_named_and_the_deadline_holds():
    machine = Machine()
    code, said, took = machine.run(seconds=24, BREAK="weights_test", HANG="cuda_report-7b")
    check(code == 1, code, said)
    check(took < 24 + 6, took, said)
    for sentence in ("Codes/cuda_bfloat16.OneThing; it went wrong", "stopped: no time is left", "out of time from torch_7b on",
                     "goals: ", "LEFT OUT: 7b torch_7b repeated sam int8 fp8 ", "SOMETHING FAILED: weights, in "):
        check(sentence in said, sentence, said)


def what_is_left_out_is_no_success():
    machine = Machine()
    code, said, took = machine.run(seconds=24, HANG="hopper_report-compare")
    check(code == 3, code, said)
    check(took < 24 + 6, took, said)
    for sentence in ("left out, as the comparison was not passed: hopper_times hopper_2b hopper_7b",
                     "LEFT OUT: hopper hopper_times hopper_2b hopper_7b sanitizer memcheck_attend ",
                     "torch_compiled: not available: no time is left\n", "what ran passed, in "):
        check(sentence in said, sentence, said)


def a_compiled_peer_that_is_missing_is_one_line():
    code, said, _ = Machine().run(BREAK="peers")
    check(code == 0, code, said)
    check("not available: ImportError: no StaticCache\n" in said and "LEFT OUT" not in said, said)
    code, said, took = Machine().run(seconds=24, HANG="peers")
    check(code == 0 and took < 24 + 6, code, took, said)
    check(said.count("not available: stopped after ") == 1 and "LEFT OUT" not in said, said)
    check("all of it passed" in said, said)


def a_kill_loses_nothing_that_was_done():
    machine = Machine()
    process = machine.start(seconds=24, HANG="cuda_report-operations")
    results = machine.out / "results.jsonl"
    for _ in range(400):
        if results.exists() and '"torch"' in results.read_text():
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    check({"logs/attend.log", "logs/masks.log"} <= machine.logs(), machine.logs())
    check((machine.out / "readings.txt").exists(), "readings.txt")
    check("== times" in (machine.out / "report.txt").read_text(), "report.txt")


def without_a_device():
    code, said, _ = Machine().run(NO_DEVICE="1")
    check(code == 2 and said == "no GPU here: nvidia-smi says: No devices were found\n", code, said)


def a_device_that_our_programs_cannot_use():
    code, said, _ = Machine().run(DRIVER_TOO_OLD="1")
    check(code == 2 and "NOTHING RAN\n" in said, code, said)
    check(said.splitlines()[-1] == "our programs cannot use this GPU: no device: the driver is too old", said)


def a_bundle_that_is_broken():
    machine = Machine()
    (machine.root / "gpu-bundle/programs.tar.xz").write_bytes(b"nothing")
    code, said, _ = machine.run()
    check(code == 2 and said.startswith("gpu-bundle/programs.tar.xz cannot be unpacked: ") and said.count("\n") == 1, code, said)


def without_a_bundle_it_is_built():
    machine = Machine(bundle=False)
    code, said, _ = machine.run(REFUSED="1")
    check(code == 1, code, said)
    for sentence in ("building here", "compute-sanitizer refuses this device: Error: Device not supported",
                     "SOMETHING FAILED: sanitizer compute-sanitizer, in "):
        check(sentence in said, sentence, said)


def without_a_bundle_and_libraries():
    code, said, _ = Machine(bundle=False).run(BREAK="cmake")
    check(code == 2 and "Could NOT find GTest" in said, code, said)
    check(said.splitlines()[-1] == "this project cannot be built here: run benchmarks/gpu_bundle.sh where its libraries are", said)


def masks_below_the_goal_are_a_failure():
    with tempfile.TemporaryDirectory() as folder:
        def write(dtype, name, logits):
            path = pathlib.Path(folder) / dtype / name
            path.mkdir(parents=True)
            (path / "result.json").write_text('{"text": "It is <|seg|>"}')
            if logits:
                header = json.dumps({"mask.0.logits": {"dtype": "F32", "shape": [len(logits)], "data_offsets": [0, 4 * len(logits)]}})
                (path / "logits.safetensors").write_bytes(len(header).to_bytes(8, "little") + header.encode()
                                                          + array.array("f", logits).tobytes())

        inside = [1.0] * 99 + [-1.0] * 9
        for dtype, a, b in (("bf16", inside, inside), ("int8", inside, [1.0] * 98 + [-1.0] * 10), ("fp8", inside, [1.0] * 96 + [-1.0] * 12),
                            ("none", inside, [])):
            write(dtype, "a", a)
            write(dtype, "b", b)
        for dtype, code, iou, flipped in (("int8", 0, (1 + 98 / 99) / 2, 1), ("fp8", 1, (1 + 96 / 99) / 2, 3), ("none", 1, 0.5, 0)):
            done = subprocess.run([sys.executable, ROOT / "benchmarks/mask_agreement.py", folder, dtype], capture_output=True, text=True,
                                  check=False)
            said = json.loads(done.stdout)
            check(done.returncode == code and said["iou"] == round(iou, 4) and said["flipped"] == flipped, dtype, done)


def main():
    cases = (masks_below_the_goal_are_a_failure, everything_passes, failures_are_named_and_the_deadline_holds, what_is_left_out_is_no_success,
             a_compiled_peer_that_is_missing_is_one_line, a_kill_loses_nothing_that_was_done, without_a_device, a_device_that_our_programs_cannot_use,
             a_bundle_that_is_broken, without_a_bundle_it_is_built, without_a_bundle_and_libraries)
    wrong = 0
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for case, done in [(case, pool.submit(case)) for case in cases]:
            error = done.exception()
            wrong += error is not None
            print(f"{case.__name__}: {'ok' if error is None else f'WRONG: {type(error).__name__}: {error}'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
