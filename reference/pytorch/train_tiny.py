# SPDX-License-Identifier: Apache-2.0
"""Stage 2: vision, language and mask head together, from the warm vision tower.

Per image: one prefix, some ten question branches, 1 or 2 mask passes. Cheap training aids that are not exported:
per-cell labels on the features, and pointers from the <|seg|> token and from the end of the prompt to the
cells they mean, so that every question teaches where, not only the one that pays for a mask pass.
"""
import argparse
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")      # parallel over images, see Team
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

import dense_labels
import export_tiny
import tiny_stamp
import warm_vision
from muon import Optimizer
from team import Team

COLUMNS = ("text", "mask", "point", "union", "told", "dense", "early", "iou", "point_iou", "early_iou", "exact", "start",
           "color_acc", "kind_acc", "first_acc", "twin_acc")
AIDS = ("dense", "point")      # trained beside the model, never exported
REST = 80                      # steps in which only the aids learn, behind --checkpoint
SYSTEM = ("<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
          "<|im_start|>user\n<|vision_start|>")


def is_matrix(name):
    return warm_vision.is_matrix(name) or (name.startswith("model.layers") and name.endswith("proj.weight"))


def overlap_loss(logits, target):
    """0.3 BCE + 0.7 Dice per row, rows = first dimension."""
    p = torch.sigmoid(logits)
    bce = F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(-1)
    dice = 1 - (2 * (p * target).sum(-1) + 1) / (p.sum(-1) + target.sum(-1) + 1)
    return .3 * bce + .7 * dice


def share_of_cells(cover, gh, gw):
    b, k = cover.shape[:2]
    return cover.float().view(b, k, gh, 4, gw, 4).mean((3, 5)).view(b, k, gh * gw) / 255


def losses(w, shard, head_ids, mask_id, passes, see):
    gh, gw = (int(x) for x in shard["grid"])
    b, n = len(shard["count"]), gh * gw
    ids, span, seg_at, seg_of = (shard[k] for k in ("ids", "span", "seg_at", "seg_of"))
    q, t = ids.shape[1:]
    with torch.set_grad_enabled(see):              # the tower rests in some steps: it changes slowly
        features = tiny_stamp.vision(w, tiny_stamp.patches(shard["image"]), gh, gw)
        dense_total, _, right = dense_labels.loss(w, features, dense_labels.cells(shard))
    # which <|seg|> of the first branches gets a mask pass
    at = thing = None
    if passes:
        amount = (seg_at[:, :passes] >= 0).sum(-1)
        pick = (torch.rand(b, passes) * amount).long().clamp(min=0).unsqueeze(-1)
        at = seg_at[:, :passes].gather(-1, pick).squeeze(-1)
        thing = seg_of[:, :passes].gather(-1, pick).squeeze(-1)
        valid = at >= 0
    cells, branches, masks, middle_cells, middle_branches = tiny_stamp.language(
        w, features, head_ids, ids, at.clamp(min=0) if passes else None, mask_id, gh, gw, passes)

    # text: the answer's tokens, each predicted by the row before it
    row = torch.arange(t - 1)
    wanted = (row >= span[..., :1] - 1) & (row < span[..., 1:] - 1)
    logits = branches[:, :, :-1][wanted] @ w["model.embed_tokens.weight"].t()
    target = ids[:, :, 1:][wanted]
    each = F.cross_entropy(logits.float(), target, reduction="none")
    first = (row == span[..., :1] - 1).expand(wanted.shape)[wanted].float()
    weight = 1 + 2 * first                      # the first token decides mask, nothing, yes, no, count
    text = (each * weight).sum() / weight.sum()

    # masks
    mask, iou = torch.zeros(()), torch.zeros(())
    if passes:
        keep = valid.flatten()
        y = tiny_stamp.classify(w, masks).view(b * passes, 1, gh, gw)[keep]
        y = F.interpolate(y, scale_factor=4, mode="bilinear", align_corners=False).flatten(1)
        truth = shard["cover"].gather(1, thing.clamp(min=0)[..., None, None].expand(
            -1, -1, 4 * gh, 4 * gw)).view(b * passes, -1)[keep].float() / 255
        mask = overlap_loss(y, truth).mean()
        with torch.no_grad():
            on, is_ = y > 0, truth > .5
            iou = ((on & is_).sum(-1) / (on | is_).sum(-1).clamp(min=1)).mean()

    # pointers
    share = share_of_cells(shard["cover"], gh, gw)
    key = F.linear(cells, w["point.cell.weight"], w["point.cell.bias"])
    bi, qi, si = torch.nonzero(seg_at >= 0, as_tuple=True)
    at_seg = bi, qi, seg_at[bi, qi, si]
    meant = share[bi, seg_of[bi, qi, si]]
    things = shard["things"][bi, seg_of[bi, qi, si]]
    size = torch.tensor([gw * 16., gh * 16.])
    place = torch.cat([things[:, 2:4] / size * 2 - 1, (things[:, 4:] / 32).log() * 2], 1)

    def pointed(hidden, keys, bias, which):
        """A <|seg|> token's scores of the cells, and the loss of what it says its thing is."""
        z = F.linear(hidden, w[f"point.{which}seg.weight"], w[f"point.{which}seg.bias"])
        scores = ((z.unsqueeze(1) @ keys[bi].transpose(1, 2)).squeeze(1) / 4).float() + bias
        what = F.linear(hidden, w[f"point.{which}what.weight"], w[f"point.{which}what.bias"]).float()
        return scores, (.5 * F.cross_entropy(what[:, :12], things[:, 1].long())
                        + .5 * F.cross_entropy(what[:, 12:32], things[:, 0].long())
                        + (what[:, 32:] - place).abs().mean())
    point_seg, told = pointed(branches[at_seg], key, w["point.bias"][0], "")
    point = overlap_loss(point_seg, meant).mean()
    early_seg, early_told = pointed(
        middle_branches[at_seg], F.linear(middle_cells, w["point.middle_cell.weight"], w["point.middle_cell.bias"]),
        w["point.middle_bias"][0], "middle_")
    early = overlap_loss(early_seg, meant).mean()
    real = span[..., 1] > 0
    bi, qi = torch.nonzero(real, as_tuple=True)
    h = branches[bi, qi, span[bi, qi, 0] - 1]
    z = F.linear(h, w["point.all.weight"], w["point.all.bias"])
    point_all = ((z.unsqueeze(1) @ key[bi].transpose(1, 2)).squeeze(1) / 4).float() + w["point.bias"][1]
    union = (shard["meant"][bi, qi].float().unsqueeze(1) @ share[bi]).squeeze(1).clamp(max=1)
    point_union = overlap_loss(point_all, union).mean()

    total = text + 1.5 * mask + .5 * (point + point_union) + early + .25 * told + .5 * early_told + dense_total

    def overlap(scores):
        on, is_ = scores > 0, meant > .5
        return ((on & is_).sum(-1) / (on | is_).sum(-1).clamp(min=1)).mean()
    with torch.no_grad():
        fine = (logits.argmax(-1) == target).float()
        miss = torch.zeros(wanted.shape).masked_scatter(wanted, 1 - fine).sum(-1)
        exact = (miss[real] == 0).float().mean()
        start = (fine * first).sum() / first.sum()
    stats = {"text": text, "mask": mask, "point": point, "union": point_union, "told": told, "dense": dense_total,
             "early": early, "iou": iou, "point_iou": overlap(point_seg), "early_iou": overlap(early_seg),
             "exact": exact, "start": start, **right}
    if not passes:
        del stats["mask"], stats["iou"]
    return total, {k: float(v.detach()) for k, v in stats.items()}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--state", type=Path, default=Path("build/tiny"))
    p.add_argument("--resume", action="store_true", help="go on from the last snapshot")
    p.add_argument("--vision", type=Path, help="take the tower from this file of warm_vision.py")
    p.add_argument("--checkpoint", type=Path, help="begin with this exported model and its log; the aids, which are "
                   "not exported, are learned anew while the model rests")
    p.add_argument("--seconds", type=float, default=5000, help="of training; the schedule ends there")
    p.add_argument("--decay", type=float, default=.35, help="last share of the time, falling to zero")
    p.add_argument("--batch", type=int, default=8)
    p.add_argument("--passes", type=int, default=1, help="mask passes an image, at most 2")
    p.add_argument("--mask-every", type=int, default=1, help="steps from one with mask passes to the next")
    p.add_argument("--see-every", type=int, default=1, help="steps from one that trains vision to the next")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--full", type=float, default=.05, help="share of shards at 576 cells")
    p.add_argument("--questions", type=int, default=10, help="an image")
    p.add_argument("--lesson", default="even", choices=("even", "easy", "hard", "order", "weak"), help="easy: plain descriptions "
                   "most; hard: size, place, order, relation and number most; order: plurals, ordinals and counting most; "
                   "weak: those and relations most")
    p.add_argument("--rate", type=float, default=.4, help="factor on 0.02 (Muon) and 0.001 (AdamW)")
    p.add_argument("--average", type=float, default=.998, help="memory of the exported running average")
    p.add_argument("--vision-rate", type=float, default=.15)
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(a.seed)
    tokenizer = Tokenizer.from_file(str(a.state / "tokenizer.json"))
    head_ids = torch.tensor(tokenizer.encode(SYSTEM).ids)
    mask_id = tokenizer.token_to_id("<|mask|>")
    weights = tiny_stamp.initial(tokenizer.get_vocab_size(), a.seed)
    optimizer = Optimizer(weights, is_matrix, lambda n: 3 if "qkv" in n else 1)
    ema = {n: t.clone() for n, t in weights.items()}
    file = a.state / "state.pt"
    step, spent, images = 0, 0.0, 0
    if a.resume and file.exists():
        s = torch.load(file)
        for n in s["weights"]:
            weights[n].copy_(s["weights"][n])
            ema[n].copy_(s["ema"][n])
        optimizer.load(s["optimizer"])
        step, spent, images = s["step"], s["spent"], s["images"]
    elif a.checkpoint:
        for n, t in export_tiny.read(a.checkpoint).items():
            weights[n].copy_(t)
            ema[n].copy_(t)
        log = (a.checkpoint / "training/log.csv").read_text()
        (a.state / "log.csv").write_text(log)
        step, spent, images = (int(x) for x in log.splitlines()[-1].split(",")[:3])
    began, rest = step, REST if a.checkpoint and not a.resume else 0
    if a.vision or step == 0:
        for n, t in torch.load(a.vision or a.state / "warm.pt")["weights"].items():
            weights[n].copy_(t)
            ema[n].copy_(t)
    pool = subprocess.Popen([sys.executable, str(Path(__file__).with_name("draw_pool.py")), "--state",
                             str(a.state), "--seed", str(2000 + a.seed), "--full", str(a.full),
                             "--questions", str(a.questions), "--lesson", a.lesson, "--ahead", "8", "--parent", str(os.getpid())])
    team = Team(a.threads)
    log = open(a.state / "log.csv", "a")
    mean, drawn = dict.fromkeys(COLUMNS, math.nan), warm_vision.batches(a.state / "pool", a.batch)

    def factor(name):
        if step - began < rest:
            return 10.0 if name.startswith(AIDS) else 0.0
        return a.vision_rate if name.startswith("visual") else 3.0 if "embed_tokens" in name else 1.0

    asked_to_stop = []
    signal.signal(signal.SIGTERM, lambda *_: asked_to_stop.append(True))
    while spent < a.seconds and not asked_to_stop:
        batch = next(drawn)
        start = time.time()
        leaf = {n: t.bfloat16().requires_grad_() for n, t in weights.items()}
        grads, stats = team.gradients(losses, leaf, batch, head_ids, mask_id, a.passes if step % a.mask_every == 0 else 0,
                                      step % a.see_every == 0 or step - began < rest)
        norm = float(torch.sqrt(sum(g.square().sum() for g in grads.values())))
        for g in grads.values():
            g.mul_(min(1.0, 1 / norm))
        left = (a.seconds - spent) / (a.decay * a.seconds)
        warm = step + 1 if rest == 0 or step - began < rest else step + 1 - began - rest
        scale = min(1, warm / 40) * min(1.0, max(.01, left))
        optimizer.step(grads, scale * a.rate, factor)
        keep = min(a.average, (1 + step) / (10 + step))
        for n in ema:
            ema[n].lerp_(weights[n], 1 - keep)
        step += 1
        images += a.batch
        spent += time.time() - start
        for name, value in stats.items():              # a step without mask passes tells nothing of them
            mean[name] = value if math.isnan(mean[name]) else .97 * mean[name] + .03 * value
        if step % 10 == 0:
            if log.tell() == 0:
                log.write("step,seconds,images,threads,rate," + ",".join(mean) + "\n")
            log.write(f"{step},{spent:.0f},{images},{team.size},{scale:.3f},"
                      + ",".join(f"{v:.4f}" for v in mean.values()) + "\n")
            log.flush()
        if step % 50 == 0 or spent >= a.seconds or asked_to_stop:
            part = Path(str(file) + ".part")
            torch.save({"weights": weights, "ema": ema, "optimizer": optimizer.state(), "step": step,
                        "spent": spent, "images": images}, part)
            part.replace(file)
    pool.terminate()


if __name__ == "__main__":
    main()
