# SPDX-License-Identifier: Apache-2.0
"""Keeps a folder of freshly drawn training shards a little ahead of the trainer.

Shard i is a pure function of (seed, i), whoever draws it and whenever. The trainer deletes what it used.
"""
import argparse
import os
import time
from pathlib import Path

import numpy as np

import scenes

SCENES = 32                    # scenes of one shard share one grid
SMALL = [(12, 12), (11, 13), (14, 14), (13, 12), (20, 20), (17, 23), (23, 17), (16, 24), (24, 16), (21, 21)]
FULL = [(24, 24), (24, 24), (21, 27), (27, 21), (22, 26), (26, 22), (20, 29), (29, 20), (25, 25), (23, 23)]
COARSE = 20                    # grids finer than so many cells a side show larger things, not more small ones


def grid_of(rng, full_share):
    pool = FULL if rng.random() < full_share else SMALL
    return pool[rng.integers(len(pool))]


def shard(seed, index, full_share, ask=None):
    rng = np.random.default_rng((seed, index))
    gh, gw = grid_of(rng, full_share)
    h, w = gh * scenes.CELL, gw * scenes.CELL
    cell = scenes.CELL * max(1, (gh * gw) ** .5 / COARSE)
    out = {"grid": np.array([gh, gw]),
           "image": np.zeros((SCENES, h, w, 3), np.uint8),
           "cover": np.zeros((SCENES, scenes.MOST, h // 4, w // 4), np.uint8),
           "things": np.zeros((SCENES, scenes.MOST, 5), np.float32),
           "count": np.zeros(SCENES, np.int64)}
    asked = []
    for n in range(SCENES):
        s = scenes.scene((seed, index, n), h, w, cell=cell)
        k = len(s.things)
        out["image"][n], out["cover"][n, :k], out["count"][n] = s.image, s.cover, k
        out["things"][n, :k] = [[t.kind, t.color, t.cx, t.cy, t.r] for t in s.things]
        if ask:
            asked.append(ask(np.random.default_rng((seed, index, n, 7)), s, h, w))
    for name in asked[0] if asked else ():
        out[name] = np.stack([a[name] for a in asked])
    return out


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--state", type=Path, default=Path("build/tiny"))
    p.add_argument("--pool", default="pool")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--ahead", type=int, default=24)
    p.add_argument("--full", type=float, default=.15, help="share of shards at the full 576 cells, more or less")
    p.add_argument("--questions", type=int, default=0, help="an image; none: labels of cells only")
    p.add_argument("--lesson", default="even", help="which kinds of questions there are most of: even, easy or hard")
    p.add_argument("--parent", type=int, default=0, help="stop when this process is gone")
    a = p.parse_args()
    folder = a.state / a.pool
    folder.mkdir(parents=True, exist_ok=True)
    ask = None
    if a.questions:
        from questions import Asker
        ask = Asker(a.state / "tokenizer.json", a.questions, lesson=a.lesson)
    while not a.parent or os.path.exists(f"/proc/{a.parent}"):
        mark = (folder / "next").read_text() if (folder / "next").exists() else "0"
        first = int(mark or 0)
        todo = [i for i in range(first, first + a.ahead) if not (folder / f"{i}.npz").exists()]
        if not todo:
            time.sleep(.5)
            continue
        np.savez(folder / "part.npz", **shard(a.seed, todo[0], a.full, ask))
        os.replace(folder / "part.npz", folder / f"{todo[0]}.npz")


if __name__ == "__main__":
    main()
