# SPDX-License-Identifier: Apache-2.0
"""Draws the tiny SAM's training pictures: scenes at the size its encoder sees, with the visible part of every thing.

Shard i is a pure function of (seed, i). Sizes and shapes of the pictures are those of `make_heldout.py`, the seeds are not.
Colour must not tell things from ground: grounds are pieced together, and things are lit, shaded and of two colours.
"""
import argparse
import os
from pathlib import Path

import numpy as np
from PIL import Image

import sam_model
import scenes
from tiny_sam import SIDE

SCENES = 50                    # of one shard


def fitted(array, height, width):
    return np.asarray(Image.fromarray(array).resize((width, height), Image.BILINEAR))


def ground(rng, h, w):
    """scenes.background, in most pictures with plates of any colour and pattern upon it, one over the other."""
    canvas, base, other = scenes.background(rng, h, w)
    plates = int(rng.integers(1, 7)) if rng.random() < .7 else 0
    y, x = np.mgrid[:h, :w].astype(np.float32) + np.float32(.5)
    for _ in range(plates):
        a, size = rng.choice([0., rng.uniform(-np.pi, np.pi)]), min(h, w) * np.float32(rng.uniform(.1, .4))
        dx, dy = x - np.float32(rng.uniform(0, w)), y - np.float32(rng.uniform(0, h))
        u = dx * np.float32(np.cos(a)) + dy * np.float32(np.sin(a))
        v = (dy * np.float32(np.cos(a)) - dx * np.float32(np.sin(a))) * np.float32(rng.uniform(.4, 1.6))
        form = rng.random()
        if form < .5:
            d = scenes.box(u, v, size, size)
        elif form < .7:                             # with round corners
            d = np.hypot(np.maximum(np.abs(u) - .7 * size, 0), np.maximum(np.abs(v) - .7 * size, 0)) - .3 * size
        elif form < .9:
            d = np.hypot(u, v) - size
        else:                                       # one side of a line: a wall, a floor
            d = u
        alpha = np.clip(.5 - d, 0, 1)[..., None].astype(np.float32)
        if rng.random() < .6:
            color = scenes.COLORS[int(rng.integers(len(scenes.COLORS)))]
            plate = scenes.surface(rng, color, h, w, u, v, size)
        else:
            plate = scenes.background(rng, h, w)[0]
        canvas = canvas * (1 - alpha) + plate * alpha
    return canvas.astype(np.float32), base, other


def coat(rng, color, h, w, u, v, r):
    """scenes.surface; sometimes with a second colour, a side in deep shade, and a bright spot."""
    fill = np.array(scenes.surface(rng, color, h, w, u, v, r), np.float32)
    a = rng.uniform(-np.pi, np.pi)
    along = (u * np.float32(np.cos(a)) + v * np.float32(np.sin(a))) / r
    if rng.random() < .2:
        second = scenes.paint(rng, scenes.COLORS[int(rng.integers(len(scenes.COLORS)))])
        kind = rng.random()
        if kind < .4:
            share = np.clip((along - rng.uniform(-.5, .5)) * r + .5, 0, 1)
        elif kind < .7:
            share = scenes.stripes(rng, h, w, rng.uniform(6, 30))
        else:
            spot = np.hypot(u - rng.uniform(-.4, .4) * r, v - rng.uniform(-.4, .4) * r)
            share = np.clip(rng.uniform(.15, .5) * r - spot + .5, 0, 1)
        fill += share[..., None].astype(np.float32) * (second - fill)
    if rng.random() < .35:
        dark, start = rng.uniform(.12, .6), rng.uniform(-.8, .3)
        shade = np.clip((along - start) / rng.uniform(.3, 1.4), 0, 1)[..., None]
        fill *= 1 - shade * np.float32(1 - dark)
    if rng.random() < .25:
        q = np.hypot(u - rng.uniform(-.6, .6) * r, v - rng.uniform(-.6, .6) * r) / (rng.uniform(.15, .6) * r)
        shine = (np.clip(1 - q, 0, 1) * rng.uniform(.3, 1))[..., None]
        fill = fill * (1 - shine) + shine
    return fill.astype(np.float32)


def shard(seed, index):
    """image [n, SIDE, SIDE, 3], inside [n, 2] (height, width), count [n], and the things' covers [sum(count), SIDE, SIDE]."""
    out = {"image": np.zeros((SCENES, SIDE, SIDE, 3), np.uint8), "inside": np.zeros((SCENES, 2), np.int64),
           "count": np.zeros(SCENES, np.int64)}
    covers = []
    for n in range(SCENES):
        rng = np.random.default_rng((seed, index, n, 1))
        area, aspect = rng.uniform(240, 400) ** 2, np.exp(rng.uniform(-.5, .5))
        w, h = (int(round((area * s) ** .5 / 4)) * 4 for s in (aspect, 1 / aspect))
        s = scenes.scene((seed, index, n), h, w, cell=rng.uniform(.75, 1.2) * 16 * (h * w) ** .5 / 320,
                         ground=ground, coat=coat)
        ih, iw = out["inside"][n] = sam_model.resized(h, w, SIDE)
        out["image"][n, :ih, :iw] = fitted(s.image, ih, iw)
        out["count"][n] = len(s.things)
        for k in range(len(s.things)):
            cover = np.zeros((SIDE, SIDE), np.uint8)
            cover[:ih, :iw] = fitted((s.owner == k).astype(np.uint8) * 255, ih, iw)
            covers.append(cover)
    out["cover"] = np.stack(covers)
    return out


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--state", type=Path, default=Path("build/tiny-sam"))
    p.add_argument("--seed", type=int, default=770001)
    p.add_argument("--shards", type=int, default=100)
    a = p.parse_args()
    folder = a.state / "pool"
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(a.shards):
        if not (folder / f"{i}.npz").exists():
            np.savez(folder / "part.npz", **shard(a.seed, i))
            os.replace(folder / "part.npz", folder / f"{i}.npz")


if __name__ == "__main__":
    main()
