# SPDX-License-Identifier: Apache-2.0
"""A quick look at a snapshot while it trains: greedy answers and mask IoU by kind of question.

The published figures come from the C++ evaluator; this one shares the training model's code.
"""
import argparse
import json
import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from tokenizers import Tokenizer

import export_tiny
import tiny_stamp as tiny
from train_tiny import SYSTEM

BUDGET = export_tiny.SIDE ** 2


def smart_resize(h, w, factor=16):
    a, b = round(h / factor) * factor, round(w / factor) * factor
    beta = math.sqrt(h * w / BUDGET)
    if a * b > BUDGET:
        return tuple(max(factor, math.floor(s / beta / factor) * factor) for s in (h, w))
    if a * b < BUDGET:
        beta = 1 / beta
        return tuple(math.ceil(s * beta / factor) * factor for s in (h, w))
    return a, b


@torch.no_grad()
def answer(w, tokenizer, picture, prompts, most=14):
    """[(text, [bool mask, ...])] for all prompts of one picture, decoded side by side."""
    i = tokenizer.token_to_id
    end, seg = i("<|im_end|>"), i("<|seg|>")
    head = torch.tensor(tokenizer.encode(SYSTEM).ids)
    h, width = smart_resize(picture.height, picture.width)
    gh, gw = h // 16, width // 16
    image = np.asarray(picture.convert("RGB").resize((width, h), Image.BICUBIC))
    features = tiny.vision(w, tiny.patches(torch.from_numpy(image.copy())[None]), gh, gw)
    rows = [tokenizer.encode(f"<|vision_end|>{p}<|im_end|>\n<|im_start|>assistant\n").ids for p in prompts]
    starts, open_ = [len(r) for r in rows], set(range(len(rows)))
    for _ in range(most):
        length = max(map(len, rows))
        ids = torch.tensor([r + [0] * (length - len(r)) for r in rows])[None]
        _, branches, *_ = tiny.language(w, features, head, ids, None, i("<|mask|>"), gh, gw, 0)
        for k in list(open_):
            nxt = int((branches[0, k, len(rows[k]) - 1] @ w["model.embed_tokens.weight"].t()).argmax())
            rows[k].append(nxt)
            if nxt == end:
                open_.discard(k)
        if not open_:
            break
    out = []
    for row, start in zip(rows, starts):
        at = [k for k in range(start, len(row)) if row[k] == seg]
        masks = []
        if at:
            ids = torch.tensor([row] * len(at))[None]
            _, _, m, *_ = tiny.language(w, features, head, ids, torch.tensor([at]), i("<|mask|>"), gh, gw,
                                    len(at))
            y = tiny.classify(w, m).view(1, len(at), gh, gw)
            y = F.interpolate(y, (picture.height, picture.width), mode="bilinear", align_corners=False)
            masks = list((y[0] > 0).numpy())
        out.append((tokenizer.decode(row[start:], skip_special_tokens=False).replace("<|im_end|>", ""), masks))
    return out


def iou(a, b):
    union = np.logical_or(a, b).sum()
    return np.logical_and(a, b).sum() / union if union else 1.0


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--model", type=Path, default=Path("examples/models/tiny"))
    p.add_argument("--state", type=Path, help="a training snapshot in place of an exported folder")
    p.add_argument("--last", action="store_true")
    p.add_argument("--set", type=Path, default=Path("build/tiny/heldout"), dest="folder")
    p.add_argument("--scenes", type=int, default=150)
    p.add_argument("--show", type=Path, help="writes a sheet of pictures with masks")
    p.add_argument("--list", action="store_true")
    a = p.parse_args()
    torch.set_num_threads(1)
    if a.state:
        state = torch.load(a.state / "state.pt")
        w = {n: t.bfloat16().float() for n, t in state["weights" if a.last else "ema"].items()}
        tokenizer = Tokenizer.from_file(str(a.state / "tokenizer.json"))
    else:
        w, tokenizer = export_tiny.read(a.model), Tokenizer.from_file(str(a.model / "tokenizer.json"))
    data = json.loads((a.folder / "questions.json").read_text())["scenes"][:a.scenes]
    scores, matched, sheet, paired = defaultdict(list), defaultdict(list), [], defaultdict(list)
    for scene in data:
        if not scene["questions"]:
            continue
        picture = Image.open(a.folder / scene["image"]).convert("RGB")
        for ask, (text, masks) in zip(scene["questions"], answer(
                w, tokenizer, picture, [s["prompt"] for s in scene["questions"]])):
            kind = ask["kind"]
            if ask["masks"]:
                truth = [np.asarray(Image.open(a.folder / m)) > 0 for m in ask["masks"]]
                got = [iou(t, masks[k]) if k < len(masks) else 0.0 for k, t in enumerate(truth)]
                scores[kind] += got
                scores["all masks"] += got
                if masks:
                    matched[kind] += got
                if ask.get("pair"):
                    paired["has a match, answered with a mask"].append(bool(masks))
            else:
                text = text.lower().strip(". ")
                right = text.startswith("nothing") and not masks if kind == "nothing" else (
                    text == ask["answer"] and not masks)
                scores[kind].append(float(right))
                if kind == "yesno":
                    paired["yesno " + ask["answer"]].append(right)
                if ask.get("pair"):
                    paired["no match, answered nothing"].append(right)
                got = [float(right)]
            if a.list:
                print(f"{scene['image']} {kind:11s} {ask['prompt']!r} -> {text!r} "
                      + " ".join(f"{g:.2f}" for g in got))
            if a.show and len(sheet) < 64:
                view = np.asarray(picture).copy()
                for m in masks:
                    view[m] = view[m] // 3 + np.array([170, 0, 110], np.uint8)
                sheet.append((Image.fromarray(view).resize((240, 240)), ask["prompt"], text))
    for kind, s in sorted(scores.items()):
        note = f"   when a mask came: {np.mean(matched[kind]):.3f}" if matched[kind] else ""
        print(f"{kind:12s} {np.mean(s):.3f}  n={len(s)}{note}")
    for k, s in paired.items():
        print(f"{k}: {np.mean(s):.3f} n={len(s)}")
    if a.show:
        from PIL import ImageDraw
        page = Image.new("RGB", (8 * 244, -(-len(sheet) // 8) * 270), "white")
        for n, (view, prompt, text) in enumerate(sheet):
            page.paste(view, (n % 8 * 244, n // 8 * 270))
            ImageDraw.Draw(page).text((n % 8 * 244, n // 8 * 270 + 242), f"{prompt}\n{text}"[:90], "black")
        page.save(a.show)


if __name__ == "__main__":
    main()
