#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""report.py RESULTS README: tables between the README's markers and a plot, from Google Benchmark's
JSON. Standard library only, so that a benchmark needs no Python packages."""
import json
import math
import pathlib
import re
import sys

MILLISECONDS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3}
COLOURS = {"mask_pass": "#1a7f37", "autoregressive": "#b35900"}
LABELS = {"mask_pass": "one mask pass", "autoregressive": "autoregressive, N steps"}


def load(path):
    found = json.loads(path.read_text())
    for row in found["benchmarks"]:
        row["wall"] = row["real_time"] * MILLISECONDS[row["time_unit"]]
        row["processor"] = row["cpu_time"] * MILLISECONDS[row["time_unit"]]
        row["short"] = re.sub(r"/(real_time|process_time|min_time:[0-9.]+)", "", row["name"])
    return found


def machine(context):
    cpu = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", cpu).group(1)
    flags = set(re.search(r"flags\s*: (.*)", cpu).group(1).split())
    shown = [f for f in ("avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "avx512_vp2intersect", "amx_tile", "amx_bf16")
             if f in flags]
    load_average = context.get("load_avg") or [math.nan]
    return (f"{model}, {context['num_cpus']} cores ({', '.join(shown)}), {context['date'][:10]}, "
            f"load average at the start {load_average[0]:.1f}. Built for the compiler's default "
            "processor (SSE2 on x86-64), no -march.")


def plot(rows, path):
    """Processor time over N, both axes logarithmic, drawn by hand."""
    width, height, left, bottom, top, right = 640, 400, 70, 50, 30, 20
    cells = [r["cells"] for r in rows]
    times = [r["processor"] for r in rows]
    x0, x1 = math.log10(min(cells)), math.log10(max(cells))
    y0, y1 = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)))
    x = lambda n: left + (math.log10(n) - x0) / (x1 - x0) * (width - left - right)
    y = lambda t: height - bottom - (math.log10(t) - y0) / (y1 - y0) * (height - bottom - top)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
           'font-family="sans-serif" font-size="13">',
           f'<rect width="{width}" height="{height}" fill="white"/>',
           f'<text x="{left}" y="18">Processor time of a mask of N cells, milliseconds</text>']
    for decade in range(y0, y1 + 1):
        at = y(10 ** decade)
        out.append(f'<line x1="{left}" x2="{width - right}" y1="{at:.1f}" y2="{at:.1f}" stroke="#ddd"/>'
                   f'<text x="{left - 8}" y="{at + 4:.1f}" text-anchor="end">{10 ** decade:g}</text>')
    for n in sorted(set(cells)):
        out.append(f'<text x="{x(n):.1f}" y="{height - bottom + 20}" text-anchor="middle">{n:g}</text>')
    out.append(f'<text x="{width / 2}" y="{height - 10}" text-anchor="middle">N, cells of the mask</text>')
    for name, colour in COLOURS.items():
        points = [(x(r["cells"]), y(r["processor"])) for r in rows if r["short"].startswith(name)]
        out.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="'
                   + " ".join(f"{a:.1f},{b:.1f}" for a, b in points) + '"/>')
        out += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="4" fill="{colour}"/>' for a, b in points]
        a, b = points[1]
        out.append(f'<text x="{a:.1f}" y="{b - 12:.1f}" fill="{colour}" text-anchor="middle">{LABELS[name]}</text>')
    path.write_text("\n".join(out + ["</svg>\n"]))


def rate(row):
    for name, unit in (("FLOP/s", "GFLOP/s"), ("B/s", "GB/s")):
        if name in row:
            # the counter is a rate of wall time; per processor second it says what the code does
            return f"{row[name] / 1e9:.2f} {unit}", f"{row[name] / 1e9 * row['wall'] / row['processor']:.2f} {unit}"
    return "", ""


def main():
    results, readme = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    found = {name: load(results / f"{name}.json") for name in ("operations", "blocks", "mask_pass", "cpu") if (results / f"{name}.json").exists()}
    lines = ["", "Machine: " + machine(found["mask_pass"]["context"]), "",
             "| N | one mask pass, ms wall (processor) | N autoregressive steps, ms wall (processor) | ratio of processor time |",
             "|--:|--:|--:|--:|"]
    rows = found["mask_pass"]["benchmarks"]
    by = {(r["short"].split("/")[0], r["cells"]): r for r in rows}
    for n in sorted({r["cells"] for r in rows}):
        one, many = by["mask_pass", n], by["autoregressive", n]
        lines.append(f"| {n:g} | {one['wall']:.1f} ({one['processor']:.1f}) | {many['wall']:.1f} "
                     f"({many['processor']:.1f}) | {many['processor'] / one['processor']:.1f} |")
    lines += ["", "![mask pass against autoregressive decoding](results/mask_pass.svg)", "",
              "| benchmark | ms wall (processor) | rate, wall | rate per processor second |", "|---|--:|--:|--:|"]
    for name in ("operations", "blocks"):
        for row in found[name]["benchmarks"]:
            wall, processor = rate(row)
            lines.append(f"| {row['short']} | {row['wall']:.3f} ({row['processor']:.3f}) | {wall} | {processor} |")
    if "cpu" in found:
        lines += ["", "The fast backend at the sizes of the published models (one language layer of 2B over N mask tokens at "
                  "once, and over N steps). Weights of one row's products that fit into the caches are read from there.", "",
                  "Machine: " + machine(found["cpu"]["context"]), "",
                  "| benchmark | ms wall (processor) | rate, wall |", "|---|--:|--:|"]
        for row in found["cpu"]["benchmarks"]:
            wall = f"{row['cells/s']:.0f} cells/s" if "cells/s" in row else rate(row)[0]
            lines.append(f"| {row['short']} | {row['wall']:.3f} ({row['processor']:.3f}) | {wall} |")
    plot(rows, results / "mask_pass.svg")
    text = readme.read_text()
    begin, end = "<!-- results: begin -->", "<!-- results: end -->"
    head, rest = text.split(begin)
    readme.write_text(head + begin + "\n".join(lines) + "\n" + end + rest.split(end)[1])


if __name__ == "__main__":
    main()
