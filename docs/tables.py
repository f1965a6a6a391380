#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the generated tables of README.md and of the shipped models' cards, between their markers.

    python3 docs/tables.py                       # the models' sizes, and parity with PyTorch, from `stamp parity` on every golden
    python3 docs/tables.py --heldout R.json --foreign R.json    # and the model's figures, from `evaluate` reports
    python3 docs/tables.py --refined R.json R.json              # only those of refinement, from `evaluate --refine` on both
"""
import argparse
import datetime
import json
import math
import pathlib
import re
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
GOLDENS = ROOT / "tests/goldens"


def machine():
    """Processor name and date, for figures that depend on them."""
    info = pathlib.Path("/proc/cpuinfo").read_text()
    name = re.search(r"model name\s*: (.*)", info)
    cores = len(re.findall(r"^processor", info, re.M))
    return f"{name[1] if name else 'unknown processor'}, {cores} cores, {datetime.date.today()}"


def replace(path, marker, text, around="\n"):
    """Puts `text` between <!-- marker --> and <!-- /marker --> of a file, on lines of its own or with `around` beside it."""
    whole = path.read_text()
    begin, end = f"<!-- {marker} -->", f"<!-- /{marker} -->"
    assert begin in whole and end in whole, f"{path.name}: no {begin} … {end}"
    head, rest = whole.split(begin, 1)
    path.write_text(f"{head}{begin}{around}{text}{around}{end}{rest.split(end, 1)[1]}")


def header(file):
    """Of a safetensors file."""
    with file.open("rb") as opened:
        return json.loads(opened.read(int.from_bytes(opened.read(8), "little")))


def metadata(file):
    return header(file)["__metadata__"]


def size(model):
    """Parameters and bytes of a shipped model."""
    file = ROOT / "examples/models" / model / "model.safetensors"
    parameters = sum(math.prod(tensor["shape"]) for name, tensor in header(file).items() if name != "__metadata__")
    return f"{parameters:,} parameters in {file.stat().st_size / 1e6:.1f} MB"


def parity_row(name, model, file, dtype, *more):
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "rows.json"
        subprocess.run([ROOT / "build/stamp", "parity", "--model", GOLDENS / model, "--activations",
                        GOLDENS / file, "--dtype", dtype, "--json", report, "--quiet", *more],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        rows = json.loads(report.read_text())["rows"]
    worst = max(rows, key=lambda row: row["max_relative"])
    agree = sum(row["ok"] for row in rows)
    return (f"| {name} | {dtype} | {agree} of {len(rows)} | {worst['max_relative']:.1e} "
            f"| {worst['name']} | {max(row['tolerance_used'] for row in rows):.3f} |")


def parity():
    lines = ["| run | compute type | activations that agree | largest difference, relative | of | share of tolerance used |",
             "| --- | --- | --- | --- | --- | --- |"]
    for case in json.loads((GOLDENS / "cases.json").read_text())["cases"]:
        lines.append(parity_row(case["name"], case["model"], case["activations"], "fp32"))
        if case["activations_float64"]:
            lines.append(parity_row(case["name"], case["model"], case["activations_float64"], "fp64"))
    for file in sorted((GOLDENS / "sam/activations").iterdir(), key=lambda file: (file.name.split(".")[0], ".f64." in file.name)):
        name, *double, _ = file.name.split(".")
        lines.append(parity_row(f"SAM: {name}", "sam/model.safetensors", file, "fp64" if double else "fp32", "--image",
                                GOLDENS / "images-parity" / metadata(file)["image"]))
    return "\n".join(lines + ["", f"`python3 docs/tables.py`, {machine()}, PyTorch 2.13.0, transformers 4.57.1."])


# What `evaluate --refine` adds: what is counted, and its coarse and refined IoU and boundary IoU.
REFINED = {
    "every question that has masks": ("all with masks", "refined: all with masks", "boundary: all with masks",
                                      "boundary, refined: all with masks"),
    "masks of the right thing": ("right thing: masks", "right thing: masks, refined", "right thing: boundary",
                                 "right thing: boundary, refined"),
    "true masks seen through 400 cells": ("true cells: masks", "true cells: masks, refined", "true cells: boundary",
                                          "true cells: boundary, refined"),
}


def figures(heldout, foreign):
    extra = {kind for kinds in REFINED.values() for kind in kinds} - {"all with masks"}
    names = sorted((set(heldout["kinds"]) | set(foreign["kinds"])) - extra)
    lines = [f"| kind of question | held-out scenes ({heldout['scenes']}) | questions "
             f"| foreign pictures ({foreign['scenes']}) | questions |", "| --- | --- | --- | --- | --- |"]
    for name in names:
        cells = []
        for report in (heldout, foreign):
            kind = report["kinds"].get(name)
            cells += [f"{kind['score']:.3f}", str(kind["questions"])] if kind else ["", ""]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines += ["", "Mean IoU of bilinear read-outs against true pixels, masks in order, a missing or surplus mask counts 0; "
              "for questions without a mask the share of right answers.",
              f"`evaluate` (examples/evaluate.cpp) on the fast CPU backend in bf16, {machine()}."]
    return "\n".join(lines)


def refined(reports):
    lines = ["| pictures | what is refined | how many | IoU coarse | IoU refined | boundary IoU coarse | boundary IoU refined |",
             "| --- | --- | --- | --- | --- | --- | --- |"]
    for pictures, report in reports.items():
        for what, names in REFINED.items():
            kinds = [report["kinds"][name] for name in names]
            scores = " | ".join(f"{kind['score']:.3f}" for kind in kinds)
            lines.append(f"| {pictures} ({report['scenes']}) | {what} | {kinds[0]['questions']} | {scores} |")
    lines += ["", "Released cascade: three passes, up to ten points inside and ten outside of the coarse mask. Boundary IoU: over a "
              "band of 2 % of the diagonal. The right thing: the coarse mask overlaps its truth by half or more.",
              f"`evaluate --refine` on the fast CPU backend, STAMP in bf16, SAM in fp32, {machine()}."]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--heldout", type=pathlib.Path, help="report of `evaluate` on make_heldout.py's scenes")
    parser.add_argument("--foreign", type=pathlib.Path, help="report of `evaluate` on examples/images")
    parser.add_argument("--refined", type=pathlib.Path, nargs=2, metavar=("HELDOUT", "FOREIGN"),
                        help="the same two of `evaluate --refine`")
    chosen = parser.parse_args()
    for page, model in (("README.md", "tiny"), ("examples/models/tiny/README.md", "tiny"),
                        ("examples/models/tiny-sam/README.md", "tiny-sam")):
        replace(ROOT / page, "size", size(model), around="")
    if not chosen.refined:
        replace(ROOT / "README.md", "parity", parity())
    if chosen.heldout and chosen.foreign:
        table = figures(*(json.loads(p.read_text()) for p in (chosen.heldout, chosen.foreign)))
        replace(ROOT / "README.md", "model", table)
        replace(ROOT / "examples/models/tiny/README.md", "measured", table)
    if chosen.refined:
        reports = dict(zip(("held-out scenes", "foreign pictures"), (json.loads(p.read_text()) for p in chosen.refined)))
        table = refined(reports)
        replace(ROOT / "README.md", "refined", table)
        replace(ROOT / "examples/models/tiny-sam/README.md", "measured", table)


if __name__ == "__main__":
    main()
