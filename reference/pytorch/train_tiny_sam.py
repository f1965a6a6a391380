# SPDX-License-Identifier: Apache-2.0
"""Trains the tiny SAM on drawn scenes: from coarse masks with points as STAMP's refinement feeds them, and from less.

Every step takes some pictures and some things of each; a picture is encoded once. The prompt is answered twice or three
times, from the second time on with the last answer's logits as mask prompt, as in the refinement. The first and the last
answer are learned from; one between them only leads there. Of two answers the first learns what helps the second, too.
"""
import argparse
import os
import signal
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import torch
from torch.nn import functional as F

import cast_light
import coarse_masks
import tiny_sam as tiny
from muon import Optimizer

KINDS = {"cascade": .76, "points": .09, "box": .07, "mask": .08}
FIXED = "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"     # random in SAM, too: not trained


class Pool:
    """Drawn shards, a few of them open at a time; flips and turns make eight pictures of one."""

    def __init__(self, folder, random):
        self.folder, self.random, self.queue = folder, random, []

    def next_shard(self):
        while True:
            files = sorted(self.folder.glob("[0-9]*.npz"))
            if files:
                return dict(np.load(files[int(torch.randint(len(files), (), generator=self.random))]))
            time.sleep(1)

    def scene(self):
        """A picture [SIDE, SIDE, 3] uint8, its (height, width), covers [things, SIDE, SIDE] uint8."""
        if not self.queue:
            for shard in (self.next_shard(), self.next_shard()):
                ends = np.cumsum(shard["count"])
                for n, end in enumerate(ends):
                    self.queue.append((shard["image"][n], shard["inside"][n].tolist(),
                                       shard["cover"][end - shard["count"][n]:end]))
        at = int(torch.randint(len(self.queue), (), generator=self.random))
        self.queue[at], self.queue[-1] = self.queue[-1], self.queue[at]
        image, (h, w), cover = self.queue.pop()
        image, cover = torch.from_numpy(image[:h, :w].copy()), torch.from_numpy(cover[:, :h, :w].copy())
        if torch.rand((), generator=self.random) < .35:
            image = cast_light.lit(image, cover, self.random)
        flip, mirror, turn = (torch.rand(3, generator=self.random) < .5).tolist()
        if flip:
            image, cover = image.flip(0), cover.flip(1)
        if mirror:
            image, cover = image.flip(1), cover.flip(2)
        if turn:
            image, cover, h, w = image.transpose(0, 1), cover.transpose(1, 2), w, h
        if torch.rand((), generator=self.random) < .5:           # red may become blue
            image = image[..., torch.randperm(3, generator=self.random)]
        beside = (0, tiny.SIDE - w, 0, tiny.SIDE - h)
        pixels = F.pad(tiny.normalised(image), (0, 0, *beside))
        return pixels, (h, w), F.pad(cover, beside)


def targets(cover, amount, random):
    """[amount, 2, SIDE, SIDE] in 0 to 1: the thing that is meant, sometimes two as one, and everything else."""
    made = []
    for _ in range(amount):
        pick = torch.randperm(len(cover), generator=random)
        take = 2 if len(cover) > 2 and torch.rand((), generator=random) < .12 else 1
        meant, rest = cover[pick[:take]].sum(0), cover[pick[take:]].sum(0)
        made.append(torch.stack([meant, rest]).float().div(255).clamp(max=1))
    return torch.stack(made)


def batch_of(pool, pictures, things, random):
    """One step's pictures, truths and prompts; all prompts are of one kind."""
    kind = list(KINDS)[int(torch.multinomial(torch.tensor(list(KINDS.values())), 1, generator=random))]
    several = int(torch.randint(1, 6, (), generator=random))
    rows = {"pixels": [], "truth": [], "beside": [], "mask": [], "points": [], "labels": [], "boxes": [], "coarse": []}
    for _ in range(pictures):
        pixels, inside, cover = pool.scene()
        rows["pixels"].append(pixels)
        beside = torch.zeros(tiny.SIDE, tiny.SIDE)
        beside[:inside[0], :inside[1]] = 1
        for meant, rest in targets(cover, things, random):
            rows["truth"].append(meant)
            rows["beside"].append(beside)
            quirks = bool(torch.rand((), generator=random) < .8)
            if kind in ("cascade", "mask"):
                mask = coarse_masks.coarse(meant, rest, inside, random, bool(torch.rand((), generator=random) < .1))
                rows["coarse"].append(mask)
                rows["mask"].append(coarse_masks.prior(mask, inside, quirks))
            if kind == "cascade":
                at, labels = coarse_masks.points(mask, inside, 10, random)
            if kind == "points":
                at, labels = coarse_masks.points(meant, inside, several, random)
                keep = slice(0, several + int(several > 2))      # most of them inside
                at, labels = at[keep], labels[keep]
            if kind in ("cascade", "points"):
                rows["points"].append(at)
                rows["labels"].append(labels)
            if kind == "box":
                rows["boxes"].append(coarse_masks.box(meant, random))
    return kind, {k: torch.stack(v) if v else None for k, v in rows.items()}


def low(maps):
    return F.avg_pool2d(maps[:, None], tiny.SIDE // tiny.LOW)[:, 0]


def overlap(on, truth, weight):
    on = on & (weight > 0)
    return (on & truth).sum((-2, -1)) / (on | truth).sum((-2, -1)).clamp(min=1)


def fit(logits, overlaps, truth, inside, band):
    """Loss of every mask [N, masks] and the overlaps that it reached. The edge counts most."""
    truth, inside, band = truth[:, None], inside[:, None], band[:, None]
    with torch.no_grad():
        reached = overlap(logits > 0, truth > .5, inside)
    weight = inside * (.04 + band)
    each = F.binary_cross_entropy_with_logits(logits, truth.expand_as(logits), reduction="none")
    entropy = (each * weight).sum((-2, -1)) / weight.sum((-2, -1))
    p, t = torch.sigmoid(logits) * inside, truth * inside
    dice = 1 - (2 * (p * t).sum((-2, -1)) + 1) / (p.sum((-2, -1)) + t.sum((-2, -1)) + 1)
    return entropy + dice, (overlaps - reached).square(), reached, entropy, dice


def losses(w, kind, batch, things, passes):
    image = tiny.image_encoder(w, batch["pixels"].to(w["image_encoder.pos_embed"].dtype))
    image = image[:, None].expand(-1, things, -1, -1).flatten(0, 1)
    places = tiny.dense_positions(w)
    truth, inside = low(batch["truth"]), low(batch["beside"])
    high, small = (F.max_pool2d(s * truth[:, None], 7, 1, 3)[:, 0] for s in (1, -1))
    band = ((high + small) > .5).float()
    sparse = tiny.sparse_prompt(w, batch["points"], batch["labels"], batch["boxes"])
    masks = range(tiny.MASKS) if kind in ("points", "box") else range(1)
    prompt, total, stats = batch["mask"], 0, {}
    for k in range(passes):
        if 0 < k < passes - 1:
            with torch.no_grad():
                logits, _ = tiny.mask_decoder(w, image, places, sparse, tiny.dense_prompt(w, prompt), range(1))
            prompt = logits[:, 0]
            continue
        logits, guessed = tiny.mask_decoder(w, image, places, sparse, tiny.dense_prompt(w, prompt), masks)
        loss, miss, reached, entropy, dice = fit(logits, guessed, truth, inside, band)
        part = loss[:, 0].mean() + .5 * miss.mean()
        if len(masks) > 1:                      # the others answer together: the best of them learns
            part = part + .5 * loss[:, 1:].min(1).values.mean()
        total = total + part * (.4 if k == 0 else .6)
        which = "first" if k == 0 else "last"
        stats |= {f"edge_{which}": entropy[:, 0].mean(), f"dice_{which}": dice[:, 0].mean(),
                  f"iou_{which}": reached[:, 0].mean(), f"guess_{which}": (guessed[:, 0] - reached[:, 0]).abs().mean()}
        prompt = logits[:, 0]
    if kind == "cascade":
        stats["coarse"] = overlap(batch["coarse"] > .5, batch["truth"] > .5, batch["beside"]).mean()
        return total, {k: float(v.detach()) for k, v in stats.items()}
    return total, {f"{kind}_iou": float(stats["iou_first"].detach())}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--state", type=Path, default=Path("build/tiny-sam"))
    p.add_argument("--resume", action="store_true", help="go on from the last snapshot")
    p.add_argument("--seconds", type=float, default=3000, help="of training; the schedule ends there")
    p.add_argument("--decay", type=float, default=.5, help="last share of the time, falling to zero")
    p.add_argument("--pictures", type=int, default=4)
    p.add_argument("--things", type=int, default=3, help="prompts a picture")
    p.add_argument("--third", type=float, default=.5, help="share of the steps with three answers instead of two")
    p.add_argument("--rate", type=float, default=.5, help="factor on 0.02 (Muon) and 0.002 (AdamW)")
    p.add_argument("--average", type=float, default=.995, help="memory of the exported running average")
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    torch.set_num_threads(1)
    weights = tiny.initial(a.seed)
    weights[FIXED] = weights[FIXED].half().float()               # as it is exported
    optimizer = Optimizer(weights, tiny.is_matrix, lambda n: 3 if "qkv" in n else 1, lr_rest=2e-3)
    average = {n: t.clone() for n, t in weights.items()}
    file, step, spent, images, mean = a.state / "state.pt", 0, 0.0, 0, {}
    if a.resume and file.exists():
        s = torch.load(file)
        for n in weights:
            weights[n].copy_(s["weights"][n])
            average[n].copy_(s["average"][n])
        optimizer.load(s["optimizer"])
        step, spent, images, mean = s["step"], s["spent"], s["images"], s["mean"]
    random = torch.Generator().manual_seed(a.seed * 1000003 + step)
    pool, log = Pool(a.state / "pool", random), open(a.state / "log.csv", "a")
    asked_to_stop = []
    signal.signal(signal.SIGTERM, lambda *_: asked_to_stop.append(True))
    columns = ["edge_first", "edge_last", "dice_last", "coarse", "iou_first", "iou_last", "guess_last", "points_iou",
               "box_iou", "mask_iou"]
    while spent < a.seconds and not asked_to_stop:
        start = time.time()
        kind, batch = batch_of(pool, a.pictures, a.things, random)
        leaf = {n: t if n == FIXED else t.bfloat16().requires_grad_() for n, t in weights.items()}
        total, stats = losses(leaf, kind, batch, a.things, 3 if float(torch.rand((), generator=random)) < a.third else 2)
        total.backward()
        grads = {n: t.grad.float() for n, t in leaf.items() if t.grad is not None}
        norm = float(torch.sqrt(sum(g.square().sum() for g in grads.values())))
        for g in grads.values():
            g.mul_(min(1.0, 1 / norm))
        left = (a.seconds - spent) / (a.decay * a.seconds)
        scale = a.rate * min(1, (step + 1) / 40) * min(1.0, max(.01, left))
        optimizer.step(grads, scale)
        keep = min(a.average, (1 + step) / (10 + step))
        for n in average:
            average[n].lerp_(weights[n], 1 - keep)
        step, images, spent = step + 1, images + a.pictures, spent + min(20, time.time() - start)
        for k, v in stats.items():
            mean[k] = v if k not in mean else .95 * mean[k] + .05 * v
        if step % 10 == 0:
            if log.tell() == 0:
                log.write("step,seconds,images,rate," + ",".join(columns) + "\n")
            log.write(f"{step},{spent:.0f},{images},{scale:.3f}," + ",".join(f"{mean.get(k, 0):.4f}" for k in columns) + "\n")
            log.flush()
        if step % 50 == 0 or spent >= a.seconds or asked_to_stop:
            part = Path(str(file) + ".part")
            torch.save({"weights": weights, "average": average, "optimizer": optimizer.state(), "step": step,
                        "spent": spent, "images": images, "mean": mean}, part)
            part.replace(file)


if __name__ == "__main__":
    main()
