#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prefill and decode at the sizes of the 2B model: OpenVINO and stamp in turn on one machine.

Run by compare_pytorch.sh --openvino. Both read the same random weights. stamp answers about a picture, as against
PyTorch, and OpenVINO (openvino_language.py) about as many words as the picture and its question are tokens. Writes
compare_openvino_<pixels>_<dtype>.json and a table of benchmarks/README.md.
"""
import argparse
import json
import pathlib
import sys

import compare_pytorch as peer
from compare_pytorch import HERE, RESULTS, ROOT, Side, ceiling, in_turn, machine, shown, shown_flags, side_name, times_of

PHASES = ("prefill", "decode")


def compare(chosen):
    folder = peer.checkpoint(*peer.FULL.values())
    prompt = (chosen.pixels // 28) ** 2 + 40
    asked = ["--model", folder, "--decode", chosen.decode, "--threads", chosen.threads, "--dtype", chosen.dtype]
    ceilings = [ceiling(chosen.programs / "ceiling", chosen.threads)]
    sides = {
        "openvino": Side([sys.executable, HERE / "openvino_language.py", *asked, "--prompt", prompt], chosen.threads),
        "stamp": Side([chosen.programs / "phases", *asked, "--pixels", chosen.pixels, "--backend", "cpu"],
                      chosen.threads),
    }

    def measure(side):
        found = side.run()
        side.rounds.append({"prefill": found["prefill"], "decode": found["decode"] / chosen.decode})

    for side in sides.values():
        side.run()  # warms up
    in_turn(sides, chosen.rounds, measure)
    ceilings.append(ceiling(chosen.programs / "ceiling", chosen.threads))
    read = max(each["read"] for each in ceilings)
    stamp = sides["stamp"].facts
    work = peer.work(argparse.Namespace(**vars(chosen) | peer.FULL), stamp)
    rows = []
    for phase in PHASES:
        row = {"phase": phase} | times_of(sides, phase)
        row["ratio"] = row["openvino"]["minimum"] / row["stamp"]["minimum"]
        rows.append(row)
    return {
        "machine": machine(),
        "settings": {name: getattr(chosen, name) for name in ("pixels", "decode", "threads", "rounds")},
        "prompt": prompt,
        "sides": {name: side.facts | {"rounds": side.rounds} for name, side in sides.items()},
        "ceiling": {"before": ceilings[0], "after": ceilings[1]},
        "stamp_reads_of_ceiling": work["decode"] / rows[1]["stamp"]["minimum"] / read,
        "phases": rows,
    }


def label(found, phase):
    return f"prefill, {found['prompt']} tokens" if phase == "prefill" else "decode, a token"


def table(found):
    openvino, stamp = side_name(found, "openvino"), side_name(found, "stamp")
    lines = [f"| phase | {openvino} | {stamp} | times as fast |", "|---|--:|--:|--:|"]
    for row in found["phases"]:
        cells = [f"{shown(row[side]['minimum'])} ({shown(row[side]['median'])})" for side in ("openvino", "stamp")]
        lines.append(f"| {label(found, row['phase'])} | {' | '.join(cells)} | {row['ratio']:.2f} |")
    return "\n".join(lines)


def notes(found):
    m, s = found["machine"], found["settings"]
    flags = shown_flags(m)
    ceilings = [found["ceiling"][when]["read"] for when in ("before", "after")]
    share = found["stamp_reads_of_ceiling"]
    measured = " and ".join(f"{read / 1e9:.1f} GB/s {when}" for read, when in zip(ceilings, ("before", "after")))
    decode = f"stamp's decode reads at {share * max(ceilings) / 1e9:.1f} GB/s"
    # Memory's rate changes from minute to minute; a ceiling that was passed says so, and bounds nothing.
    decode += (f", {share:.0%} of memory's rate as measured in the same run ({measured})" if share <= 1 else
               f"; memory's rate was measured in slower minutes ({measured}) and is no ceiling here")
    return (f"Minimum (median) of {s['rounds']} rounds in turn, {s['decode']} tokens. {decode}. {m['cpu']}, "
            f"{m['cores']} cores ({flags}), {s['threads']} threads, {m['date']}. OpenVINO "
            f"{found['sides']['openvino']['openvino']}, its cache in bytes, as its CPU plugin chooses.")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pixels", type=int, default=504, help="side of the square picture, a multiple of 28")
    parser.add_argument("--decode", type=int, default=20, help="tokens of the answer")
    parser.add_argument("--dtype", choices=("bf16", "int8"), default="bf16", help="of both sides")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS)
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "build/benchmarks", help="phases, ceiling")
    chosen = parser.parse_args()
    found = compare(chosen)
    chosen.out.mkdir(parents=True, exist_ok=True)
    file = chosen.out / f"compare_openvino_{chosen.pixels}_{chosen.dtype}.json"
    file.write_text(json.dumps(found, indent=1) + "\n")
    print(f"\n{table(found)}\n\n{notes(found)}\n\n{file}")
    if chosen.out.resolve() == RESULTS:
        peer.write_readme("against openvino", "compare_openvino_*.json", lambda each: (
            f"--openvino --pixels {each['settings']['pixels']} --dtype {each['sides']['stamp']['dtype']}", table(each),
            notes(each)), picture=False)


if __name__ == "__main__":
    main()
