# SPDX-License-Identifier: Apache-2.0
"""Draws a training log as an SVG: loss parts on the left axis, mask IoU and answer accuracy on the right.

Knows the columns of both trainings, of tiny and of tiny-sam, and draws those that the log has.
"""
import argparse
import csv
from pathlib import Path

W, H, LEFT, RIGHT, TOP, BOTTOM = 760, 380, 56, 56, 28, 46
LINES = [("text", "#c2410c", 0), ("mask", "#7c3aed", 0), ("iou", "#15803d", 1), ("exact", "#1d4ed8", 1),
         ("kind_acc", "#a3a3a3", 1), ("edge_last", "#c2410c", 0), ("coarse", "#a3a3a3", 1),
         ("iou_first", "#1d4ed8", 1), ("iou_last", "#15803d", 1)]
NAMES = {"text": "answer loss", "mask": "mask loss", "iou": "mask IoU (cells x 4)",
         "exact": "answers exactly right", "kind_acc": "shape of a cell right",
         "edge_last": "loss along edges", "coarse": "IoU of coarse mask", "iou_first": "IoU, first pass",
         "iou_last": "IoU, last pass"}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("log", type=Path)
    p.add_argument("out", type=Path)
    a = p.parse_args()
    rows = list(csv.DictReader(a.log.open()))
    last, most = float(rows[-1]["images"]), 2.0

    def x(v):
        return LEFT + (W - LEFT - RIGHT) * v / last

    def y(v, top):
        return H - BOTTOM - (H - TOP - BOTTOM) * min(v / top, 1)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {W} {H}" font-family="sans-serif" '
           f'font-size="12"><rect width="{W}" height="{H}" fill="#fff"/>']
    for k in range(6):
        at = y(k / 5, 1)
        out.append(f'<line x1="{LEFT}" x2="{W - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="#e5e5e5"/>'
                   f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{most * k / 5:.1f}</text>'
                   f'<text x="{W - RIGHT + 8}" y="{at + 4:.1f}">{k / 5:.1f}</text>')
    for k in range(5):
        out.append(f'<text x="{x(last * k / 4):.0f}" y="{H - 26}" text-anchor="middle">'
                   f'{last * k / 4000:.1f}k</text>')
    out.append(f'<text x="{W / 2}" y="{H - 8}" text-anchor="middle">images seen</text>')
    for n, (name, color, right) in enumerate(line for line in LINES if line[0] in rows[0]):
        points = " ".join(f"{x(float(r['images'])):.1f},{y(float(r[name]), 1 if right else most):.1f}"
                          for r in rows if r[name] != "nan")  # not heard of yet
        out.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.6"/>'
                   f'<text x="{LEFT + n * 136}" y="16" fill="{color}">{NAMES[name]}'
                   f'{" (right)" if right else ""}</text>')
    a.out.write_text("\n".join(out) + "\n</svg>\n")


if __name__ == "__main__":
    main()
