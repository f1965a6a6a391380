#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""SAM at a published model's true sizes, random weights: PyTorch (transformers' SamModel) and stamp in turn.

Run by compare_pytorch.sh --sam. One picture of 1024 x 1024 pixels through the image encoder, then one point through
prompt encoder, mask decoder and upsampling. A second question about the same picture costs the second part only.
Writes compare_sam_<model>_<dtype>.json and .svg, and a table of benchmarks/README.md.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys

from compare_pytorch import (COLOURS, HERE, RESULTS, ROOT, Side, bars, ceiling, in_turn, machine, shown, shown_flags,
                             side_name, times_of, write_readme)

sys.path.insert(0, str(ROOT / "reference/pytorch"))
from sam_model import PUBLISHED, published_config  # noqa: E402

PHASES = {"encoder": "image encoder", "decoder": "one prompt"}


def encoder_work(model):
    """Multiplications and additions of products, attention and relative positions in the image encoder."""
    vision = published_config(model)["vision_config"]
    width, window, out = vision["hidden_size"], vision["window_size"], vision["output_channels"]
    grid = vision["image_size"] // vision["patch_size"]
    positions, padded = grid**2, (-(-grid // window) * window) ** 2
    total = 2 * positions * 3 * vision["patch_size"] ** 2 * width
    for block in range(vision["num_hidden_layers"]):
        whole = block in vision["global_attn_indexes"]
        rows, side = (positions, grid) if whole else (padded, window)
        total += 2 * rows * 4 * width**2 + 2 * positions * 2 * width * vision["mlp_dim"]
        total += 4 * rows * side**2 * width + 2 * rows * 2 * side * width
    return total + 2 * positions * (width * out + 9 * out * out)


def measure(side):
    found = side.run()
    side.rounds.append({phase: found[phase] for phase in PHASES})


def compare(chosen):
    file = ROOT / f"build/random-sam-{chosen.model}/model.safetensors"
    if not file.exists():
        subprocess.run([sys.executable, HERE / "make_sam_checkpoint.py", "--model", chosen.model, "--out", file],
                       check=True)
    ceilings = [ceiling(chosen.programs / "ceiling", chosen.threads)]
    asked = ["--model", file, "--threads", chosen.threads]
    sides = {
        "pytorch": Side([sys.executable, ROOT / "reference/pytorch/time_sam.py", *asked, "--size", chosen.model,
                         "--dtype", chosen.pytorch_dtype], chosen.threads),
        "stamp": Side([chosen.programs / "sam_phases", *asked, "--dtype", chosen.dtype], chosen.threads),
    }
    first = [side.run()["logits"] for side in sides.values()]  # warms up, and shows whether both compute the same
    in_turn(sides, chosen.rounds, measure)
    ceilings.append(ceiling(chosen.programs / "ceiling", chosen.threads))
    rows = []
    for phase in PHASES:
        row = {"phase": phase} | times_of(sides, phase)
        for name, side in sides.items():
            if phase == "encoder":
                rate = encoder_work(chosen.model) / row[name]["minimum"]
                best = max(max(each[side.facts["dtype"]].values()) for each in ceilings)
                row[name] |= {"rate": rate, "of_ceiling": rate / best}
        row["ratio"] = row["pytorch"]["minimum"] / row["stamp"]["minimum"]
        rows.append(row)
    return {
        "machine": machine(),
        "settings": {name: getattr(chosen, name) for name in ("model", "threads", "rounds")},
        "sides": {name: side.facts | {"rounds": side.rounds} for name, side in sides.items()},
        "agreement": {"low_res_logits_correlation": statistics.correlation(*first)},
        "ceiling": {"before": ceilings[0], "after": ceilings[1]},
        "phases": rows,
    }


def table(found):
    pytorch, stamp = side_name(found, "pytorch"), side_name(found, "stamp")
    lines = [f"| SAM {found['settings']['model']}, 1024 x 1024 | {pytorch} | {stamp} | times as fast "
             f"| {pytorch} achieves | {stamp} achieves |", "|---|--:|--:|--:|--:|--:|"]
    for row in found["phases"]:
        cells = [f"{shown(row[side]['minimum'])} ({shown(row[side]['median'])})" for side in COLOURS]
        rates = [f"{row[side]['rate'] / 1e12:.3f} TFLOP/s, {row[side]['of_ceiling']:.0%}" if "rate" in row[side] else ""
                 for side in COLOURS]
        lines.append(f"| {PHASES[row['phase']]} | {' | '.join(cells)} | {row['ratio']:.2f} | {' | '.join(rates)} |")
    return "\n".join(lines)


def notes(found):
    m, s, pytorch = found["machine"], found["settings"], found["sides"]["pytorch"]
    encoder, decoder = (row["stamp"]["minimum"] for row in found["phases"])
    flags = shown_flags(m)
    return (
        f"Minimum (median) of {s['rounds']} rounds in turn; percentages are of the ceiling measured in the same run. "
        f"A second prompt about the same picture costs {decoder / encoder:.1%} of the encoder's time. {m['cpu']}, "
        f"{m['cores']} cores ({flags}), {s['threads']} threads, {m['date']}. PyTorch {pytorch['torch']}, transformers "
        f"{pytorch['transformers']}, {pytorch['attention']} attention. Correlation of the two sides' low-resolution "
        f"logits {found['agreement']['low_res_logits_correlation']:.4f}.")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=PUBLISHED, default="vit_h")
    parser.add_argument("--dtype", choices=("bf16", "int8", "fp32"), default="bf16", help="what stamp computes in")
    parser.add_argument("--pytorch-dtype", choices=("bf16", "fp32"), default="bf16")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS)
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "build/benchmarks", help="sam_phases, ceiling")
    chosen = parser.parse_args()
    found = compare(chosen)
    chosen.out.mkdir(parents=True, exist_ok=True)
    file = chosen.out / f"compare_sam_{chosen.model}_{chosen.dtype}.json"
    file.write_text(json.dumps(found, indent=1) + "\n")
    bars(f"SAM {chosen.model} on a picture of 1024 × 1024 pixels, seconds (less is better)",
         {side: side_name(found, side) for side in COLOURS},
         [(PHASES[row["phase"]], {side: row[side]["minimum"] for side in COLOURS}) for row in found["phases"]],
         file.with_suffix(".svg"))
    print(f"\n{table(found)}\n\n{notes(found)}\n\n{file}")
    if chosen.out.resolve() == RESULTS:
        write_readme("sam against pytorch", "compare_sam_*.json", lambda each: (
            f"--sam --model {each['settings']['model']} --dtype {each['sides']['stamp']['dtype']}", table(each), notes(each)))


if __name__ == "__main__":
    main()
