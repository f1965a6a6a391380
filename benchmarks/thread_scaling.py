#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a second thread brings: the phases of one answer at the sizes of the 2B model, one thread and two in turn.

    .venv/bin/python benchmarks/thread_scaling.py [--pixels 504] [--dtype bf16]    # after compare_pytorch.sh

Writes results/thread_scaling_<pixels>_<dtype>.json and a table of benchmarks/README.md.
"""
import argparse
import json
import pathlib

from compare_pytorch import RESULTS, ROOT, Side, between_marks, in_turn, machine, shown

PHASES = ("vision", "prefill", "decode", "mask", "answer")


def measure(chosen):
    asked = [chosen.programs / "phases", "--backend", "cpu", "--model", ROOT / "build/random-2b-28x32",
             "--dtype", chosen.dtype, "--pixels", chosen.pixels, "--decode", chosen.decode]
    sides = {f"{threads} threads": Side([*asked, "--threads", threads], threads) for threads in (1, 2)}
    for side in sides.values():
        side.run()  # warms up
    in_turn(sides, chosen.rounds, lambda side: side.measure(chosen.decode))
    return {"machine": machine(), "settings": {name: getattr(chosen, name) for name in (
        "pixels", "decode", "dtype", "rounds")}, "rounds": {
            str(side.facts["threads"]): side.rounds for side in sides.values()}}


def table(found):
    lines = [f"| stamp {found['settings']['dtype']}, {found['settings']['pixels']} pixels a side | 1 thread | 2 threads "
             "| times as fast |", "|---|--:|--:|--:|"]
    for phase in PHASES:
        one, two = (min(times[phase] for times in found["rounds"][str(threads)]) for threads in (1, 2))
        name = "decode, a token" if phase == "decode" else phase
        lines.append(f"| {name} | {shown(one)} | {shown(two)} | {one / two:.2f} |")
    m = found["machine"]
    return "\n".join(lines) + (
        f"\n\nMinimum of {found['settings']['rounds']} rounds in turn. {m['cpu']}, {m['cores']} cores, {m['date']}.")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pixels", type=int, default=504)
    parser.add_argument("--decode", type=int, default=20)
    parser.add_argument("--dtype", choices=("bf16", "int8", "fp32"), default="bf16")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "build/benchmarks")
    chosen = parser.parse_args()
    found = measure(chosen)
    (RESULTS / f"thread_scaling_{chosen.pixels}_{chosen.dtype}.json").write_text(json.dumps(found, indent=1) + "\n")
    parts = [table(json.loads(path.read_text())) for path in sorted(RESULTS.glob("thread_scaling_*.json"))]
    between_marks("thread scaling", "\n\n".join(parts))
    print(table(found))


if __name__ == "__main__":
    main()
