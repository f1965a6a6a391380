# SPDX-License-Identifier: Apache-2.0
"""Writes the tiny SAM as a Hugging Face folder: config.json, model.safetensors with transformers' names in float16.

--check runs the written weights in the training model, in sam_model.py and in transformers, and fails where they differ.
"""
import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import sam_model
import tiny_sam as tiny
from sam_goldens import hugging_face_name

IMAGES = Path(__file__).resolve().parents[2] / "examples/images"


def checkpoint(weights):
    """By transformers' names; the matrix of the places, which SamModel holds twice, once."""
    return {hugging_face_name(name): t.half().contiguous() for name, t in weights.items()}


def read(folder):
    """The exported weights by their released names, float32."""
    stored = load_file(folder / "model.safetensors")
    return {name: stored[hugging_face_name(name)].float() for name in tiny.initial(0)}


@torch.no_grad()
def check(folder):
    w, config = read(folder), json.loads((folder / "config.json").read_text())
    picture = Image.open(IMAGES / "demo.png")
    truth = np.asarray(Image.open(IMAGES / "truth/demo-0.png").convert("L")) > 127
    oracle = sam_model.Predictor(w, config, picture)
    at = np.array([[200., 120.], [20., 30.]])
    labels = torch.tensor([1, 0])
    mask = sam_model.prior(truth, 4 * oracle.grid)
    _, iou, low = oracle.predict(at, labels, mask=mask)

    image = tiny.image_encoder(w, sam_model.pixel_values(picture, tiny.SIDE)[None])
    inner = oracle.inner(at)[None]
    mine, guess = tiny.mask_decoder(w, image, tiny.dense_positions(w), tiny.sparse_prompt(w, inner, labels[None], None),
                                    tiny.dense_prompt(w, mask[None]), (0,))
    apart = {"training model": ((mine[0] - low).abs().max() / low.abs().max(), (guess - iou).abs().max())}

    from transformers import SamConfig, SamModel
    theirs = SamModel.from_pretrained(folder, config=SamConfig(**config), dtype=torch.float32,
                                      attn_implementation="eager").eval()
    out = theirs(pixel_values=sam_model.pixel_values(picture, tiny.SIDE).permute(2, 0, 1)[None],
                 input_points=inner[None], input_labels=labels[None, None], input_masks=mask[None, None],
                 multimask_output=False)
    apart["transformers"] = ((out.pred_masks[0, 0] - low).abs().max() / low.abs().max(),
                             (out.iou_scores[0, 0] - iou).abs().max())
    for name, (masks, overlaps) in apart.items():
        print(f"{name:16} logits differ by {float(masks):.1e} of the largest, overlaps by {float(overlaps):.1e}")
    if max(float(d) for both in apart.values() for d in both) > 1e-4:
        raise SystemExit("the exported folder: expected differences of at most 1e-4, found more")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--state", type=Path, default=Path("build/tiny-sam"))
    p.add_argument("--out", type=Path, default=Path("examples/models/tiny-sam"))
    p.add_argument("--last", action="store_true", help="the last weights, not their running average")
    p.add_argument("--check", action="store_true")
    a = p.parse_args()
    (a.out / "training").mkdir(parents=True, exist_ok=True)
    state = torch.load(a.state / "state.pt")
    save_file(checkpoint(state["weights" if a.last else "average"]), a.out / "model.safetensors", {"format": "pt"})
    (a.out / "model.safetensors").chmod(0o644)
    (a.out / "config.json").write_text(json.dumps(tiny.config(), indent=2) + "\n")
    head, *rows = (a.state / "log.csv").read_text().splitlines()
    rows = {int(r.split(",")[0]): r for r in rows}               # a resumed run repeats steps: the last word counts
    (a.out / "training" / "log.csv").write_text(
        "\n".join([head, *(rows[k] for k in sorted(rows) if k <= state["step"])]) + "\n")
    print(f"step {state['step']}, {state['images']} pictures, {state['spent']:.0f} s")
    if a.check:
        check(a.out)


if __name__ == "__main__":
    main()
