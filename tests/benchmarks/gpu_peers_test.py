# SPDX-License-Identifier: Apache-2.0
"""benchmarks/gpu_peers.py at tiny sizes on this processor: all parts run, and say what gpu_table.py asks for. Needs
PyTorch and transformers, here or in the project's environment; exit 77 without them."""
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
import gpu_table  # noqa: E402


def python_with_torch():
    for python in (ROOT / ".venv/bin/python", sys.executable):
        if pathlib.Path(python).exists() and subprocess.run(
                [python, "-c", "import torch, transformers"], capture_output=True, check=False).returncode == 0:
            return python
    return None


def main():
    python = python_with_torch()
    if python is None:
        print("skipped: no PyTorch with transformers here")
        return 77
    done = subprocess.run([python, ROOT / "benchmarks/gpu_peers.py", "--tiny", "--device", "cpu", "ceilings", "operations",
                           "2b", "7b", "sam", "2b_compiled", "7b_compiled"], env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, text=True,
                          check=False)
    readings = [json.loads(line) for line in done.stdout.splitlines()]
    failed = [r for r in readings if "failed" in r and r["kind"] != "attention"]
    assert done.returncode == 0 and not failed, (done.returncode, failed)
    times = {r["name"]: r["ms"] for r in readings if "ms" in r}
    assert all(ms > 0 for ms in times.values()), times
    wanted = {f"{size}_{phase}" for size in gpu_table.SIZES for phase in gpu_table.BARS}
    wanted |= {f"{size}_{how}_decode_token" for size in gpu_table.SIZES for how in ("static", "compiled")}
    wanted |= {"square_8192", "copy", "2b_qkv_1", "7b_down_1024", "vision_hd80_flash", "mask_2b_flash_shared",
               "sam_vit_h_image", "sam_vit_h_prompt"}
    assert wanted <= times.keys(), sorted(wanted - times.keys())
    answers = {r["name"]: r["words"] for r in readings if "words" in r}
    assert answers.keys() == {f"{size}_{phase}" for size in gpu_table.SIZES for phase in ("end_to_end", "next_question")}, answers
    print(f"{len(times)} readings, by {python}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
