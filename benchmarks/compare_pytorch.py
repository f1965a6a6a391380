#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One answer about a picture at the sizes of the 2B model, phase by phase: PyTorch and stamp in turn on one machine.

Run by compare_pytorch.sh. Both programs stay loaded and answer in turn (PyTorch, stamp, PyTorch, …), so that whatever
else the machine does meets both; only one computes at a time. Before and after, `ceiling` measures what the machine can
do at best. Writes compare_pytorch_<pixels>_<dtype>.json and .svg, and the tables of benchmarks/README.md.
"""
import argparse
import datetime
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys

import make_checkpoint as sizes

HERE = pathlib.Path(__file__).resolve().parent
ROOT, RESULTS = HERE.parent, HERE / "results"
FULL = {"layers": 28, "blocks": 32}
FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8")
COLOURS = {"pytorch": "#b35900", "stamp": "#1a7f37"}
LAYER_WEIGHTS = 2 * sizes.HIDDEN**2 + 2 * sizes.HIDDEN * sizes.HIDDEN // sizes.HEADS * sizes.KV_HEADS \
    + 3 * sizes.HIDDEN * sizes.FFN


class Side:
    """A program that says what it is in a JSON line, then answers every line `run` with one."""

    def __init__(self, command, threads):
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env=os.environ | {"OMP_NUM_THREADS": str(threads)})
        self.facts, self.rounds = self.hear(), []

    def hear(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.process.args[:2]} ended with exit code {self.process.wait()}")
        return json.loads(line)

    def run(self):
        self.process.stdin.write("run\n")
        self.process.stdin.flush()
        return self.hear()

    def measure(self, decode):
        found = self.run()
        times = {name: found[name] for name in ("vision", "prefill", "decode", "mask")}
        times["answer"] = sum(times.values())
        times["decode"] /= decode
        self.rounds.append(times)
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        self.facts["resident_gb"] = int(re.search(r"VmRSS:\s*(\d+) kB", status)[1]) * 1024 / 1e9

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def in_turn(sides, rounds, measure):
    """Every side measured `rounds` times, one after the other. measure(side) adds to side.rounds."""
    for turn in range(rounds):
        for name, side in sides.items():
            measure(side)
            print(f"round {turn + 1} of {rounds}, {name}: "
                  + ", ".join(f"{phase} {seconds:.3f} s" for phase, seconds in side.rounds[-1].items()), flush=True)
    for side in sides.values():
        side.close()


def times_of(sides, phase):
    """{side: minimum and median of a phase over its rounds}."""
    found = {}
    for name, side in sides.items():
        times = [times[phase] for times in side.rounds]
        found[name] = {"minimum": min(times), "median": statistics.median(times)}
    return found


def ceiling(program, threads):
    """Operations a second in each type, and bytes a second read."""
    found = subprocess.run([program], env=os.environ | {"OMP_NUM_THREADS": str(threads)}, check=True,
                           stdout=subprocess.PIPE, text=True)
    return json.loads(found.stdout)


def work(chosen, side):
    """Operations of products and attention in a phase; for decode the bytes that a token reads."""
    hidden, vision = sizes.HIDDEN, sizes.VISION
    patches = (chosen.pixels // 14) ** 2
    cells, prompt = patches // 4, side["prompt"]
    head = sizes.VOCAB * hidden
    block = 2 * patches * (3 * vision**2 + vision**2 + 2 * vision * 4 * vision) + 4 * patches**2 * vision
    ends = 2 * patches * 3 * 2 * 14 * 14 * vision + 2 * cells * (4 * vision) * (4 * vision + hidden)
    kv = 2 * hidden // sizes.HEADS * sizes.KV_HEADS * side["cache_bytes"] * (prompt + (chosen.decode + 1) / 2)
    return {
        "vision": chosen.blocks * block + ends,
        "prefill": chosen.layers * (2 * prompt * LAYER_WEIGHTS + 4 * prompt * (prompt + 1) / 2 * hidden) + 2 * head,
        "decode": chosen.layers * (LAYER_WEIGHTS * side["weight_bytes"] + kv) + head * side["weight_bytes"],
        "mask": chosen.layers * (2 * cells * LAYER_WEIGHTS + 4 * cells * (prompt + chosen.decode + cells) * hidden),
    }


def machine():
    info = pathlib.Path("/proc/cpuinfo").read_text()
    has = set(re.search(r"flags\s*: (.*)", info)[1].split())
    return {"cpu": re.search(r"model name\s*: (.*)", info)[1], "cores": os.cpu_count(),
            "flags": {flag: flag in has for flag in FLAGS}, "date": str(datetime.date.today())}


def shown_flags(found):
    """What of FLAGS a machine() has."""
    return ", ".join(flag for flag, has in found["flags"].items() if has)


def summary(chosen, sides, ceilings):
    """A row a phase: both sides' times, rates and shares of the ceiling in their type."""
    rows = []
    for phase in ("vision", "prefill", "decode", "mask", "answer"):
        row = {"phase": phase} | times_of(sides, phase)
        for name, side in sides.items():
            if phase != "answer":
                rate = work(chosen, side.facts)[phase] / row[name]["minimum"]
                best = max(each["read"] if phase == "decode" else max(each[side.facts["dtype"]].values())
                           for each in ceilings)
                row[name] |= {"rate": rate, "unit": "B/s" if phase == "decode" else "FLOP/s", "of_ceiling": rate / best}
        row["ratio"] = row["pytorch"]["minimum"] / row["stamp"]["minimum"]
        rows.append(row)
    return rows


def checkpoint(layers, blocks):
    """The folder with random weights of that depth, made where it is missing."""
    folder = ROOT / f"build/random-2b-{layers}x{blocks}"
    if not folder.exists():
        partial = folder.with_name(folder.name + ".partial")
        subprocess.run([sys.executable, HERE / "make_checkpoint.py", "--layers", str(layers), "--blocks", str(blocks),
                        "--out", partial], check=True)
        partial.rename(folder)
    return folder


def compare(chosen):
    folder = checkpoint(chosen.layers, chosen.blocks)
    load = [os.getloadavg()[0]]
    ceilings = [ceiling(chosen.programs / "ceiling", chosen.threads)]
    asked = ["--model", folder, "--pixels", chosen.pixels, "--decode", chosen.decode, "--threads", chosen.threads]
    sides = {
        "pytorch": Side([sys.executable, ROOT / "reference/pytorch/time_phases.py", *asked, "--dtype",
                         chosen.pytorch_dtype], chosen.threads),
        "stamp": Side([chosen.programs / "phases", *asked, "--backend", chosen.backend, "--dtype", chosen.dtype],
                      chosen.threads),
    }
    first = [side.run() for side in sides.values()]  # warms up, and shows whether both compute the same
    in_turn(sides, chosen.rounds, lambda side: side.measure(chosen.decode))
    ceilings.append(ceiling(chosen.programs / "ceiling", chosen.threads))
    load.append(os.getloadavg()[0])
    return {
        "machine": machine() | {"load_average": load},
        "settings": {name: getattr(chosen, name)
                     for name in ("pixels", "decode", "layers", "blocks", "threads", "rounds")},
        "sides": {name: side.facts | {"rounds": side.rounds} for name, side in sides.items()},
        "agreement": {"mask_logits_correlation": statistics.correlation(*(each["logits"] for each in first)),
                      "same_choices": sum(a == b for a, b in zip(*(each["chosen"] for each in first)))},
        "ceiling": {"before": ceilings[0], "after": ceilings[1]},
        "phases": summary(chosen, sides, ceilings),
    }


def shown(seconds):
    return f"{seconds:.1f} s" if seconds >= 10 else f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.1f} ms"


def label(found, phase):
    """The phase with its size, for a reader."""
    s = found["settings"]
    patches, prompt = (s["pixels"] // 14) ** 2, found["sides"]["stamp"]["prompt"]
    return {"vision": f"vision tower, {patches} patches", "prefill": f"prefill, {prompt} tokens",
            "decode": "decode, a token", "mask": f"mask pass, {patches // 4} tokens",
            "answer": f"whole answer, {s['decode']} words"}[phase]


def side_name(found, side):
    return f"{found['sides'][side]['name']} {found['sides'][side]['dtype']}"


def table(found):
    def cell(times):
        return f"{shown(times['minimum'])} ({shown(times['median'])})"

    def achieved(times):
        if "rate" not in times:
            return ""
        rate = f"{times['rate'] / 1e12:.3f} TFLOP/s" if times["unit"] == "FLOP/s" else f"{times['rate'] / 1e9:.1f} GB/s"
        return f"{rate}, {times['of_ceiling']:.0%}"

    pytorch, stamp = side_name(found, "pytorch"), side_name(found, "stamp")
    lines = [f"| phase | {pytorch} | {stamp} | times as fast | {pytorch} achieves | {stamp} achieves |",
             "|---|--:|--:|--:|--:|--:|"]
    for row in found["phases"]:
        lines.append(f"| {label(found, row['phase'])} | {cell(row['pytorch'])} | {cell(row['stamp'])} "
                     f"| {row['ratio']:.2f} | {achieved(row['pytorch'])} | {achieved(row['stamp'])} |")
    return "\n".join(lines)


def notes(found):
    m, s, pytorch, stamp = found["machine"], found["settings"], found["sides"]["pytorch"], found["sides"]["stamp"]
    types = dict.fromkeys([pytorch["dtype"], stamp["dtype"]])

    def rates(each):
        products = [f"{dtype} {max(each[dtype].values()) / 1e12:.3f} TFLOP/s" for dtype in types]
        return ", ".join([*products, f"memory {each['read'] / 1e9:.1f} GB/s"])

    flags = shown_flags(m)
    before, after, alike = found["ceiling"]["before"], found["ceiling"]["after"], found["agreement"]
    return (
        f"Minimum (median) of {s['rounds']} rounds in turn; percentages are of the ceiling measured in the same run: "
        f"{rates(before)} before, {rates(after)} after. {m['cpu']}, {m['cores']} cores ({flags}), {s['threads']} threads, "
        f"{m['date']}, load average at the start {m['load_average'][0]:.1f}. PyTorch {pytorch['torch']}, transformers "
        f"{pytorch['transformers']}, {pytorch['attention']} attention; stamp's {stamp['backend']} backend, oneDNN "
        f"{before['onednn']}. Resident after an answer: {pytorch['resident_gb']:.1f} GB and {stamp['resident_gb']:.1f} GB. "
        f"Correlation of the two masks' logits {alike['mask_logits_correlation']:.4f}, {alike['same_choices']} of "
        f"{s['decode']} greedy choices alike.")


def bars(title, legend, rows, path):
    """Two bars a row, seconds on a linear axis, drawn by hand. legend: a name a side; a row: label, seconds a side."""
    bar, left, right, top = 18, 210, 120, 56
    longest = max(seconds for _, times in rows for seconds in times.values())
    width, height = 760, top + len(rows) * (2 * bar + 14) + 6
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
           'font-family="sans-serif" font-size="13">',
           f'<rect width="{width}" height="{height}" fill="white"/>', f'<text x="10" y="20">{title}</text>']
    for at, (side, colour) in enumerate(COLOURS.items()):
        out.append(f'<rect x="{left + at * 160}" y="30" width="12" height="12" fill="{colour}"/>'
                   f'<text x="{left + at * 160 + 18}" y="41">{legend[side]}</text>')
    for at, (name, times) in enumerate(rows):
        y = top + at * (2 * bar + 14)
        out.append(f'<text x="{left - 10}" y="{y + bar + 4}" text-anchor="end">{name}</text>')
        for which, (side, colour) in enumerate(COLOURS.items()):
            long = max(1, times[side] / longest * (width - left - right))
            ratio = f", {times['pytorch'] / times['stamp']:.1f}×" if side == "stamp" else ""
            out.append(f'<rect x="{left}" y="{y + which * bar}" width="{long:.1f}" height="{bar - 2}" fill="{colour}"/>'
                       f'<text x="{left + long + 6:.1f}" y="{y + which * bar + 13}">{shown(times[side])}{ratio}</text>')
    path.write_text("\n".join(out + ["</svg>\n"]))


def plot(found, path):
    """A row a phase; decode counts all its tokens."""
    words, rows = found["settings"]["decode"], []
    for row in found["phases"]:
        times = words if row["phase"] == "decode" else 1
        rows.append((f"decode, {words} tokens" if times > 1 else label(found, row["phase"]),
                     {side: row[side]["minimum"] * times for side in COLOURS}))
    pixels = found["settings"]["pixels"]
    bars(f"One answer about a picture of {pixels} × {pixels} pixels, seconds (less is better)",
         {side: side_name(found, side) for side in COLOURS}, rows, path)


def between_marks(name, text):
    """Puts text between a pair of marks of the README."""
    readme, begin, end = HERE / "README.md", f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    head, rest = readme.read_text().split(begin)
    readme.write_text(f"{head}{begin}\n{text}\n{end}" + rest.split(end)[1])


def write_readme(name, pattern, parts_of, picture=True):
    """Between the marks of that name: for every result of the pattern its command's options, table and notes."""
    parts = []
    for path in sorted(RESULTS.glob(pattern)):
        options, table_, notes_ = parts_of(json.loads(path.read_text()))
        parts += [f"`bash benchmarks/compare_pytorch.sh {options}`", table_, notes_]
        if picture:
            parts.append(f"![{path.stem}](results/{path.stem}.svg)")
    between_marks(name, "\n\n".join(parts))


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pixels", type=int, default=504, help="side of the square picture, a multiple of 28")
    parser.add_argument("--decode", type=int, default=20, help="tokens of the answer")
    parser.add_argument("--dtype", choices=("bf16", "int8", "fp32"), default="bf16", help="what stamp computes in")
    parser.add_argument("--pytorch-dtype", choices=("bf16", "fp32"), default="bf16")
    parser.add_argument("--backend", choices=("cpu", "reference"), default="cpu")
    parser.add_argument("--layers", type=int, default=FULL["layers"], help="of the language model")
    parser.add_argument("--blocks", type=int, default=FULL["blocks"], help="of the vision tower")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=pathlib.Path, help="default: benchmarks/results, and build/compare-pytorch for a "
                        "model of another depth; only the first also rewrites the README")
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "build/benchmarks", help="phases, ceiling")
    chosen = parser.parse_args()
    if chosen.pixels < 28 or chosen.pixels % 28 or min(chosen.decode, chosen.rounds, chosen.threads) < 1:
        parser.error("expected pixels a multiple of 28, and at least one token, round and thread")
    full = {"layers": chosen.layers, "blocks": chosen.blocks} == FULL
    chosen.out = chosen.out or (RESULTS if full else ROOT / "build/compare-pytorch")
    return chosen


def main():
    chosen = options()
    found = compare(chosen)
    chosen.out.mkdir(parents=True, exist_ok=True)
    file = chosen.out / f"compare_pytorch_{chosen.pixels}_{chosen.dtype}.json"
    file.write_text(json.dumps(found, indent=1) + "\n")
    plot(found, file.with_suffix(".svg"))
    print(f"\n{table(found)}\n\n{notes(found)}\n\n{file}")
    if chosen.out.resolve() == RESULTS:
        write_readme("against pytorch", "compare_pytorch_*.json", lambda each: (
            f"--pixels {each['settings']['pixels']} --dtype {each['sides']['stamp']['dtype']}", table(each), notes(each)))


if __name__ == "__main__":
    main()
