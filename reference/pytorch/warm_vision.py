# SPDX-License-Identifier: Apache-2.0
"""Stage 1: the vision tower learns what each cell shows, before any language.

With --start it goes on from the tower of a joint training, whose place train_tiny.py --vision lets it take again.
"""
import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

import dense_labels
import tiny_stamp
from muon import Optimizer
from team import Team, rows


def is_matrix(name):
    return name.endswith(("proj.weight", "qkv.weight", "fc1.weight", "fc2.weight", "mlp.0.weight",
                          "mlp.2.weight")) and "patch_embed" not in name


def next_shard(folder, wait=.2):
    """Takes the pool's next shard away; it is drawn again only after a restart before a snapshot."""
    mark = folder / "next"
    i = int(mark.read_text()) if mark.exists() else 0
    while not (folder / f"{i}.npz").exists():
        time.sleep(wait)
    with np.load(folder / f"{i}.npz") as z:
        out = {k: torch.from_numpy(z[k]) for k in z.files}
    part = folder / "next.part"
    part.write_text(str(i + 1))
    part.replace(mark)
    (folder / f"{i}.npz").unlink()
    return out


def batches(folder, size):
    """Batches of the pool's shards, without end; the rest of a shard that makes none is left out."""
    while True:
        shard = next_shard(folder)
        for at in range(0, len(shard["count"]) - size + 1, size):
            yield rows(shard, at, at + size)


def losses(w, shard):
    gh, gw = (int(x) for x in shard["grid"])
    features = tiny_stamp.vision(w, tiny_stamp.patches(shard["image"]), gh, gw)
    total, parts, right = dense_labels.loss(w, features, dense_labels.cells(shard))
    return total, {k: float(v.detach()) for k, v in (*parts.items(), *right.items())}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--state", type=Path, default=Path("build/tiny"))
    p.add_argument("--seconds", type=float, default=1500)
    p.add_argument("--vocab", type=int, default=760)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--resume", action="store_true")
    p.add_argument("--start", type=Path, help="a file of train_tiny.py: begin with its tower")
    p.add_argument("--rate", type=float, default=1.0, help="factor on 0.02 (Muon) and 0.001 (AdamW)")
    p.add_argument("--decay", type=float, default=.6, help="last share of the time, falling to zero")
    p.add_argument("--full", type=float, default=.15, help="share of shards at 576 cells")
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--threads", type=int, default=1)
    a = p.parse_args()
    torch.set_num_threads(1)
    pool = subprocess.Popen([sys.executable, str(Path(__file__).with_name("draw_pool.py")), "--state",
                             str(a.state), "--pool", "pool_warm", "--seed", str(1000 + a.seed), "--full", str(a.full),
                             "--parent", str(os.getpid())])
    weights = {n: t for n, t in tiny_stamp.initial(a.vocab, a.seed).items()
               if n.startswith(("visual", "dense"))}
    file = a.state / "warm.pt"
    optimizer = Optimizer(weights, is_matrix, lambda n: 3 if "qkv" in n else 1)
    step, spent, log, average = 0, 0.0, open(a.state / "warm.csv", "a"), None
    if a.resume and file.exists():
        s = torch.load(file)
        for n, t in s["weights"].items():
            weights[n].copy_(t)
        optimizer.load(s["optimizer"])
        step, spent = s["step"], s["spent"]
    elif a.start:
        for n, t in torch.load(a.start)["weights"].items():
            if n in weights:
                weights[n].copy_(t)
    team, drawn = Team(a.threads), batches(a.state / "pool_warm", a.batch)
    while spent < a.seconds:
        batch = next(drawn)
        start = time.time()
        leaf = {n: t.bfloat16().requires_grad_() for n, t in weights.items()}
        grads, now = team.gradients(losses, leaf, batch)
        norm = torch.sqrt(sum(g.square().sum() for g in grads.values()))
        for g in grads.values():
            g.mul_(min(1.0, 1 / float(norm)))
        scale = min(1, (step + 1) / 20) * min(1.0, max(.02, (a.seconds - spent) / (a.decay * a.seconds)))
        optimizer.step(grads, scale * a.rate)
        step += 1
        spent += time.time() - start
        average = now if average is None else {k: .95 * average[k] + .05 * now[k] for k in now}
        if step % 10 == 0:
            log.write(f"{step},{spent:.1f}," + ",".join(f"{k}={v:.3f}" for k, v in average.items())
                      + "\n")
            log.flush()
        if step % 100 == 0 or spent >= a.seconds:
            torch.save({"weights": weights, "optimizer": optimizer.state(), "step": step,
                        "spent": spent}, str(file) + ".part")
            Path(str(file) + ".part").replace(file)
    pool.terminate()


if __name__ == "__main__":
    main()
