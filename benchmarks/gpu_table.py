#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The readings of gpu_report.sh beside the goals for an H200 at 896×896, PyTorch's times and the floors of the machine.

    gpu_table.py RESULTS.jsonl           the goals, what failed, and the verdict; exit 1 where something failed
    gpu_table.py --all RESULTS.jsonl     every reading
    gpu_table.py --write [--check]       the newest benchmarks/results/gpu_*.jsonl into the README's table

A floor is max(operations / FLOP/s, bytes / bandwidth), with the best rates of a product of 8192 and of a copy in the same
run, before and after our times; that of an answer is the sum of its parts. The goal of a whole answer is one of reading the
picture's file, too; answers with guesses have none and are reported. Below a goal is no failure. Wrong bits, other words with
guesses than without, numbers that are not finite, kernels that disagree and memory asked of the driver after the first answer
are."""

import argparse
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
MARK = "gpu report"
# Milliseconds at most, 2B and 7B.
BARS = {"vision": (16, 16), "prefill": (6, 24), "decode_token": (1.0, 4.0), "mask_pass": (6.5, 24),
        "end_to_end": (80, 240), "next_question": (50, 190)}
SIZES = ("2b", "7b")
# Answers of 2B from the picture on, and how often they must be the same bits.
REPEATED = [f"2b_{part}" for part in ("words", "one_object_a_pass", "two_objects_a_pass", "three_objects_a_pass")]
TIMES_REPEATED = 100
TIMES_EAGER = 5  # an answer against transformers, launch by launch, in two phases
TIMES_COMPILED = 1.3  # a decoded token against transformers as one graph, plain or compiled, the quicker one
OF_PRODUCT, OF_ATTENTION = 0.95, 0.9  # of PyTorch's speed
LANGUAGE = ("qkv", "o", "gate_up", "down")
PRODUCTS = [f"vision_{name}_4096" for name in ("qkv", "proj", "fc1", "fc2")] + [
    f"{size}_{name}_{rows}" for rows in (1, 1024, 1100) for size in SIZES for name in LANGUAGE] + ["2b_head_1", "square_8192"]
ATTENTION = ["vision_hd80"] + [f"{phase}_{size}" for size in SIZES for phase in ("prefill", "mask", "decode")]
OURS = re.compile("_(tensor|tiled|hopper)$")
THEIRS = re.compile("_(flash|cudnn|efficient)(_shared)?$")
GUESSING = re.compile("_(drafted|guessed)$")  # guesses from the dialogue itself, and from likely answers that are right
COLUMNS = ("", "ours ms", "torch ms", "ratio", "TFLOP/s", "GB/s", "of floor", "goal", "")


def least(readings, key=lambda r: r["name"]):
    """The quickest reading of each key."""
    found = {}
    for r in readings:
        if "ms" in r and (key(r) not in found or r["ms"] < found[key(r)]["ms"]):
            found[key(r)] = r
    return found


def with_file(answer, file):
    """An answer and the reading of its picture's file as one time, which has no match among theirs; None where one is missing."""
    return answer and file and answer | {"ms": answer["ms"] + file["ms"], "beside": ""}


class Report:
    def __init__(self, readings):
        self.readings = readings
        ceilings = [r for r in readings if r["kind"] == "ceiling" and "ms" in r]
        self.tflops = max((r["tflops"] for r in ceilings if r["name"] == "square_8192"), default=None)
        self.gbytes = max((r["gbytes_per_s"] for r in ceilings if r["name"] == "copy"), default=None)
        self.theirs = least((r for r in readings if r["side"] == "torch"), lambda r: THEIRS.sub("", r["name"]))

    def of(self, side, kind=None):
        return [r for r in self.readings if r["side"] == side and kind in (None, r["kind"])]

    def ceilings(self):
        if not (self.tflops and self.gbytes):
            return "ceilings: not measured, so no floors"
        each = {name: [f"{r[rate]:.0f}" for r in self.readings if r["kind"] == "ceiling" and r["name"] == name and rate in r]
                for name, rate in (("square_8192", "tflops"), ("copy", "gbytes_per_s"))}
        return (f"ceilings: {' and '.join(each['square_8192'])} TFLOP/s in a bf16 product of 8192, "
                f"{' and '.join(each['copy'])} GB/s in a copy; the best counts")

    def floor(self, r):
        """Milliseconds, or None where the work or the machine is not known."""
        if not (self.tflops and self.gbytes):
            return None
        if "operations" in r:
            return max(r["operations"] / self.tflops * 1e-9, r["bytes"] / self.gbytes * 1e-6)
        if "tflops" in r:
            return r["ms"] * max(r["tflops"] / self.tflops, r["gbytes_per_s"] / self.gbytes)
        size, _, phase = r["name"].partition("_")
        whole = GUESSING.sub("", phase)
        if "words" not in r or whole not in ("end_to_end", "next_question"):
            return None
        phases = {part: self.floor(found) for part in ("vision", "prefill", "decode_token", "mask_pass")
                  for found in self.of(r["side"], "phase") if found["name"] == f"{size}_{part}" and "operations" in found}
        # With guesses a pass tells several words, and reads what one reads.
        parts = {"decode_token": r.get("passes", r["words"]), "mask_pass": 1}
        if whole == "end_to_end":
            parts |= {"vision": 1, "prefill": 1}
        if not parts.keys() <= phases.keys():
            return None
        return sum(count * phases[part] for part, count in parts.items())

    def row(self, r, goal="", verdict=""):
        """A reading's cells; "beside" names another reading of theirs than that of the same name."""
        other = self.theirs.get(r.get("beside", OURS.sub("", r["name"])))
        rates = ["", ""]
        if "tflops" in r:
            rates = [f"{r['tflops']:.1f}", f"{r['gbytes_per_s']:.0f}"]
        elif "operations" in r:
            rates = [f"{r['operations'] / r['ms'] * 1e-9:.1f}", f"{r['bytes'] / r['ms'] * 1e-6:.0f}"]
        floor = self.floor(r)
        return [f"{r['kind']} {r['name']}", f"{r['ms']:.4f}", *([f"{other['ms']:.4f}", f"{other['ms'] / r['ms']:.2f}"]
                if other else ["", ""]), *rates, f"{100 * floor / r['ms']:.0f} %" if floor else "", goal, verdict]

    def goals(self):
        """(cells, met or None where there is no reading) of every goal."""
        ours = least(self.of("stamp", "phase"))
        yield from self.phases("stamp")
        for size in SIZES:
            name = f"{size}_end_to_end"
            yield self.against("phase", name, ours.get(name), TIMES_EAGER, "against eager transformers")
        for size in SIZES:
            name = f"{size}_decode_token"
            found = [f"{size}_{how}_decode_token" for how in ("static", "compiled")]
            found = sorted((each for each in found if each in self.theirs), key=lambda each: self.theirs[each]["ms"])
            yield self.against("phase", name, ours.get(name), TIMES_COMPILED, "against compiled transformers", *found[:1] or [""])
        for name in REPEATED:
            yield self.repeated(name)
        products = least(self.of("stamp", "product"))
        for name in PRODUCTS:
            yield self.against("product", name, products.get(name), OF_PRODUCT)
        # Of the kernels that the engine can be asked for the quicker one, if it is right.
        right = not any(r["beyond"] or r["changed"] for r in self.of("stamp_hopper", "compare"))
        attention = least((r for side in (("stamp", "stamp_hopper") if right else ("stamp",))
                           for r in self.of(side, "attention") if not r["name"].endswith("_tiled")),
                          lambda r: OURS.sub("", r["name"]))
        for name in ATTENTION:
            yield self.against("attention", name, attention.get(name), OF_ATTENTION)

    def phases(self, side, more=""):
        """Of the Hopper kernel's side they are reported beside the goals and counted as none."""
        readings = least(self.of(side, "phase"))
        for phase, bars in BARS.items():
            for size, bar in zip(SIZES, bars):
                name = f"{size}_{phase}"
                found, said = readings.get(name), more
                if phase == "end_to_end":  # its goal has the picture's file in it, and its time has not
                    found, said = with_file(found, readings.get(f"{size}_picture_file")), f"with picture_file {more}".rstrip()
                yield self.judged("phase", name, found, f"≤ {bar:g} ms", lambda r: r["ms"] <= bar, said)

    def judged(self, kind, name, found, goal, good, more=""):
        if found is None:
            return [f"{kind} {name} {more}".rstrip(), *[""] * 6, goal, "not measured"], None
        met = good(found)
        cells = self.row(found, goal, "not measured" if met is None else "met" if met else "BELOW")
        cells[0] = f"{cells[0]} {more}".rstrip()
        return cells, met

    def against(self, kind, name, found, times, more="", beside=None):
        beside = name if beside is None else beside
        other = self.theirs.get(beside)
        return self.judged(kind, name, found and found | {"beside": beside}, f"≥ {times:g} × torch",
                           lambda r: other["ms"] / r["ms"] >= times if other else None, more)

    def repeated(self, name):
        goal = f"the same bits {TIMES_REPEATED} times"
        cells = [f"repeats {name}", *[""] * 6, goal]
        for r in self.of("stamp", "repeats"):
            if r["name"] == name:
                met = r["finite"] and r["same"] == r["of"] >= TIMES_REPEATED
                return [*cells, "met" if met else f"BELOW: {r['same']} of {r['of']}"], met
        return [*cells, "not measured"], None

    def failures(self):
        for r in self.readings:
            name = f"{r['side']} {r['name']}"
            if r["kind"] == "bits" and not (r["equal"] and r.get("finite", True)):
                yield f"{name}: " + ("the bits differ, or words with guesses" if not r["equal"] else "numbers that are not finite")
            elif r["kind"] == "repeats" and not (r["finite"] and r["same"] == r["of"]):
                yield f"{name}: the same bits {r['same']} times of {r['of']}" + ("" if r["finite"] else ", not finite")
            elif r["kind"] == "memory" and r["count"]:
                yield f"{name}: the driver was asked for memory {r['count']} times"
            elif r["kind"] == "compare" and (r["beyond"] or r["changed"]):
                yield (f"{name}: largest difference {r['largest_difference']}, {r['beyond']} beyond tolerance and "
                       f"{r['changed']} changed from run to run of {r['of']}")
            elif "failed" in r and r["kind"] not in ("attention", "peer"):
                yield f"{name}: {r['failed']}"

    def notes(self):
        """What is neither a time nor a failure."""
        compared = [r for r in self.readings if r["kind"] == "compare"]
        if compared:
            agree = [r for r in compared if not (r["beyond"] or r["changed"])]
            yield (f"the Hopper kernel agrees in {len(agree)} of {len(compared)} comparisons, largest difference "
                   f"{max((r['largest_difference'] for r in agree), default=0)}")
        phases = least(self.of("stamp", "phase"))
        for size in SIZES:
            answer, file = (phases.get(f"{size}_{phase}") for phase in ("end_to_end", "picture_file"))
            if answer and file:
                yield (f"phase {size}_end_to_end with picture_file: {answer['ms']:.4f} ms from pixels on, {file['ms']:.4f} ms for "
                       "the file")
        for name, r in sorted(phases.items()):
            plain = phases.get(GUESSING.sub("", name), r)
            if plain is not r:
                yield (f"phase {name}: {r['ms']:.4f} ms, {r['words']} words in {r['passes']} passes, "
                       f"{plain['ms'] / r['ms']:.2f} times as quick as without guesses")
        for r in self.readings:
            if r["kind"] == "masks":
                yield (f"masks {r['name']}: IoU {r['iou']}, {r['flipped']} of {r['cells']} cells on the other side, the same words in "
                       f"{r['same_words']} of {r['answers']} answers")
            if r["kind"] == "peer":
                yield f"not available: {r['name']}, {r['failed']}"
        products = [r for r in self.of("stamp", "product") if "splits" in r]
        if products:
            split = [f"{r['name']} in {r['splits']}" for r in products if r["splits"] > 1]
            yield f"the product library splits {len(split)} of {len(products)} products: {', '.join(split) or 'none'}"
        unlike = [r["name"] for r in self.of("stamp") if "recorded" in r
                  and bool(r["recorded"]) != bool(self.theirs.get(OURS.sub("", r["name"]), r).get("recorded"))]
        if unlike:
            yield "launched as a graph on one side only: " + ", ".join(unlike)
        # A shape is not measured where no backend takes it; which ones do not take it is worth a line.
        refused = sorted(r["name"] for r in self.readings if r["kind"] == "attention" and "failed" in r)
        if refused:
            yield "PyTorch has not got: attention " + ", ".join(refused)


def summary(goals):
    names = {verdict: [cells[0] for cells, met in goals if met is verdict] for verdict in (True, False, None)}
    below = f": {', '.join(names[False])}" if names[False] else ""
    if names[None]:
        yield "not measured: " + ", ".join(names[None])
    yield (f"goals: {len(names[True])} met, " + (f"{len(names[None])} not measured, " if names[None] else "")
           + f"{len(names[False])} below{below}")


def measured(goals):
    """Heading and rows of the goals that have a reading of ours."""
    return [list(COLUMNS), *(cells for cells, met in goals if cells[1] or met is not None)]


def as_text(rows):
    widths = [max(len(row[at]) for row in rows) for at in range(len(COLUMNS))]
    for row in rows:
        yield "  ".join(cell.ljust(width) if at in (0, len(COLUMNS) - 1) else cell.rjust(width)
                        for at, (cell, width) in enumerate(zip(row, widths))).rstrip()


def as_markdown(rows):
    head, *rest = rows
    yield "| " + " | ".join(head) + " |"
    yield "|---" + "|--:" * (len(head) - 2) + "|---|"
    for row in rest:
        yield "| " + " | ".join(row) + " |"


def load(path):
    return Report([json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()])


def show(report):
    goals, failures = list(report.goals()), list(report.failures())
    lines = [report.ceilings(), *as_text(measured([*goals, *report.phases("stamp_hopper", "with hopper")])), *report.notes(),
             *(f"FAILED {failure}" for failure in failures), *summary(goals)]
    print("\n".join(lines))
    return 1 if failures else 0


def show_all(report):
    rows = [list(COLUMNS)]
    for side in ("stamp", "stamp_hopper"):
        rows += [[side, *[""] * (len(COLUMNS) - 1)]]
        rows += [report.row(r) for r in report.of(side) if "ms" in r]
    print("\n".join([report.ceilings(), *as_text(rows)]))
    return 0


def table_of_newest():
    found = sorted((HERE / "results").glob("gpu_*.jsonl"))
    if not found:
        return "Not yet measured."
    report = load(found[-1])
    goals = list(report.goals())
    about = [f"{r['device']}, {r['date']}, commit {r['commit'][:7]}." for r in report.of("run")]
    return "\n".join([f"`results/{found[-1].name}`: {' '.join(about)} {report.ceilings()[0].upper()}{report.ceilings()[1:]}.",
                      "", *as_markdown(measured([*goals, *report.phases("stamp_hopper", "with hopper")])), "",
                      *(line[0].upper() + line[1:] + "." for line in summary(goals))])


def write(check):
    path = HERE / "README.md"
    begin, end = f"<!-- {MARK}: begin -->", f"<!-- {MARK}: end -->"
    text = path.read_text(encoding="utf-8")
    head, rest = text.split(begin)
    wanted = f"{head}{begin}\n{table_of_newest()}\n{end}" + rest.split(end)[1]
    if check:
        if wanted != text:
            print(f"{path}: its table is not that of the newest results; run gpu_table.py --write", file=sys.stderr)
        return wanted != text
    path.write_text(wanted, encoding="utf-8")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="?", type=pathlib.Path)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--check", action="store_true", help="with --write: only say whether the table is up to date")
    chosen = parser.parse_args()
    if chosen.write:
        return write(chosen.check)
    if chosen.results is None:
        parser.error("expected a results file")
    return (show_all if chosen.all else show)(load(chosen.results))


if __name__ == "__main__":
    sys.exit(main())
