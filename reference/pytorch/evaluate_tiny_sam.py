# SPDX-License-Identifier: Apache-2.0
"""A quick look at the tiny SAM: refinement of coarse masks of 400 cells made from the truth, by the released cascade.

For every picture with true masks in a folder of `make_heldout.py` or in examples/images: IoU of the coarse mask and of the
refined one. The published figures come from the C++ evaluator; this one runs `sam_model.py`.
"""
import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

import coarse_masks
import export_tiny_sam
import sam_model
import tiny_sam


def coarse(truth, steps):
    """The truth on about 400 cells, read out bilinearly; `steps` as in coarse_masks.cells_of."""
    height, width = truth.shape
    rows, columns = (max(2, round((400 * s) ** .5)) for s in (height / width, width / height))
    cover = F.adaptive_avg_pool2d(torch.from_numpy(truth).float()[None, None],
                                  (rows * coarse_masks.FINE, columns * coarse_masks.FINE))
    logits = coarse_masks.cells_of(cover, steps)
    return (F.interpolate(logits, truth.shape, mode="bilinear", align_corners=False) > 0)[0, 0].numpy()


def iou(a, b):
    return float((a & b).sum() / max(1, (a | b).sum()))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("folder", type=Path)
    p.add_argument("--state", type=Path, help="a snapshot of the training instead of the exported weights")
    p.add_argument("--model", type=Path, default=Path("examples/models/tiny-sam"))
    p.add_argument("--pictures", type=int, default=50)
    p.add_argument("--steps", type=int, nargs="+", default=[0, 8], help="quality of the coarse masks")
    p.add_argument("--passes", type=int, nargs="+", default=[1, 3])
    p.add_argument("--worst", type=int, default=5, help="how many of the masks that lost most to name")
    p.add_argument("--clean", action="store_true", help="the mask prompt without the released code's quirks")
    a = p.parse_args()
    torch.set_num_threads(1)
    config = tiny_sam.config()
    w = torch.load(a.state / "state.pt")["average"] if a.state else export_tiny_sam.read(a.model)
    random, scores = np.random.default_rng(0), {}
    for scene in json.loads((a.folder / "questions.json").read_text())["scenes"][:a.pictures]:
        with torch.no_grad():
            sam = sam_model.Predictor(w, config, Image.open(a.folder / scene["image"]).convert("RGB"))
            for name in sorted({m for q in scene["questions"] for m in q["masks"]}):
                truth = np.asarray(Image.open(a.folder / name).convert("L")) > 127
                for steps in a.steps:
                    found = coarse(truth, steps)
                    if not found.any():
                        continue
                    sides = [np.argwhere(found == on)[:, ::-1] for on in (True, False)]
                    drawn = [s[random.permutation(len(s))[:10]] for s in sides]
                    labels = torch.tensor([1] * len(drawn[0]) + [0] * len(drawn[1]))
                    at = np.concatenate(drawn).astype(float)
                    row = {"coarse": iou(found, truth)}
                    for n in a.passes:
                        row[n] = iou(sam.cascade(found, at, labels, n, not a.clean).numpy(), truth)
                    scores.setdefault(steps, []).append((name, row))
    for steps, rows in scores.items():
        print(f"steps {steps}, {len(rows)} masks: " + ", ".join(
            f"{k if k == 'coarse' else f'{k} passes'} {np.mean([r[k] for _, r in rows]):.4f}" for k in rows[0][1]))
        worst = sorted(rows, key=lambda r: r[1][a.passes[-1]] - r[1]["coarse"])[:a.worst]
        print("  most lost: " + ", ".join(f"{n} {r['coarse']:.2f} -> {r[a.passes[-1]]:.2f}" for n, r in worst))


if __name__ == "__main__":
    main()
