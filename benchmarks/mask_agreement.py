#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How far masks of one type are from those of another: over every answer that both folders have, the mean IoU of cells
with logits above 0, mask by mask, the cells that are on the other side, and the answers of the same words. A mask that only
one has counts as 0.
  mask_agreement.py FOLDER TYPE …   every FOLDER/bf16/NAME and FOLDER/TYPE/NAME was written by `stamp segment --out`
Prints one JSON line a type; exit 1 where the mean is below .99, the goal of the cpu engine's 8-bit weights (docs/cpu.md)."""

import array
import json
import pathlib
import sys


def masks_of(folder):
    """The masks of an answer as lists of booleans, from logits.safetensors."""
    path = folder / "logits.safetensors"
    if not path.exists():
        return []
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    masks = {}
    for name, tensor in header.items():
        if name == "__metadata__":
            continue
        begin, end = tensor["data_offsets"]
        logits = array.array("f", data[8 + size + begin:8 + size + end])
        masks[int(name.split(".")[1])] = [logit > 0 for logit in logits]
    return [masks[k] for k in sorted(masks)]


def overlap(a, b):
    both = sum(x and y for x, y in zip(a, b))
    either = sum(x or y for x, y in zip(a, b))
    return both / either if either else 1.0


LEAST = 0.99


def text_of(folder):
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))["text"]


def main():
    root = pathlib.Path(sys.argv[1])
    low = False
    for other in sys.argv[2:]:
        ious = []
        flipped = cells = 0
        same = 0
        answers = sorted(path.name for path in (root / "bf16").iterdir())
        for name in answers:
            ours, theirs = masks_of(root / other / name), masks_of(root / "bf16" / name)
            same += text_of(root / other / name) == text_of(root / "bf16" / name)
            ious += [overlap(a, b) for a, b in zip(ours, theirs)]
            ious += [0.0] * abs(len(ours) - len(theirs))
            flipped += sum(x != y for a, b in zip(ours, theirs) for x, y in zip(a, b))
            cells += sum(len(b) for _, b in zip(ours, theirs))
        mean = sum(ious) / len(ious) if ious else 0.0
        low |= mean < LEAST
        print(json.dumps({"kind": "masks", "name": f"{other}_against_bf16", "iou": round(mean, 4), "masks": len(ious),
                          "flipped": flipped, "cells": cells, "same_words": same, "answers": len(answers)}))
    sys.exit(1 if low else 0)


if __name__ == "__main__":
    main()
