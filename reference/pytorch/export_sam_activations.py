# SPDX-License-Identifier: Apache-2.0
"""Writes the named activations of one SAM prompt in PyTorch, for the layer-by-layer comparison with C++.

    python export_sam_activations.py --model sam_vit_b.pth --image photo.png --point 120,80,1 --out FILE.safetensors
    stamp parity --model sam_vit_b.pth --image photo.png --activations FILE.safetensors

Sizes come from a config.json beside the checkpoint, else from the published model of its width. Tensors are named as
segment-anything names them (`stamp convert --names official` makes such a file of transformers'). With --cascade N the
mask is refined as STAMP's released evaluation does it, from these points and in N passes; else it is a mask prompt.
The file holds `sam.*` (docs/command.md) and the prompt; metadata: image, masks, passes, quirks, torch.
"""
import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

import sam_model
from export_activations import write


def checkpoint(file, dtype):
    """Weights and sizes."""
    w = load_file(file) if file.suffix == ".safetensors" else torch.load(file, weights_only=True, map_location="cpu")
    if "image_encoder.pos_embed" not in w:
        raise SystemExit(f"{file}: no tensor image_encoder.pos_embed: expected the released names, as stamp convert "
                         "--names official gives them")
    beside = file.with_name("config.json")
    if beside.exists():
        config = json.loads(beside.read_text())
    else:
        width = w["image_encoder.pos_embed"].shape[-1]
        config = sam_model.published_config(next(k for k, v in sam_model.PUBLISHED.items() if v[0] == width))
    return {k: v.to(dtype) for k, v in w.items()}, config


def answer(w, config, image, prompt, several=False, passes=0, quirks=True):
    """Every activation of one prompt, and the prompt. prompt: points [n, 2], labels [n], box [4], mask, coarse."""
    found = {}

    def keep(name, tensor):
        found[name] = tensor.clone().contiguous()
    predictor = sam_model.Predictor(w, config, image, keep)
    points, labels = prompt.get("points"), prompt.get("labels")
    if passes:
        predictor.cascade(prompt["coarse"].numpy(), points, labels, passes, quirks)
    else:
        predictor.predict(points, labels, prompt.get("box"), prompt.get("mask"), several)
    return found | {"prompt." + name: tensor for name, tensor in prompt.items()}


def metadata(image, several=False, passes=0, quirks=True):
    return {"format": "stamp-activations-1", "image": image, "masks": "several" if several else "single",
            "passes": str(passes), "quirks": "released" if quirks else "clean", "torch": torch.__version__}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", type=Path, required=True)
    p.add_argument("--image", type=Path, required=True)
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--point", action="append", default=[], help="X,Y,LABEL in pixels, label 1 inside, 0 outside")
    p.add_argument("--box", help="X0,Y0,X1,Y1 in pixels")
    p.add_argument("--mask", type=Path, help="coarse mask of the picture's size, bright inside")
    p.add_argument("--cascade", type=int, default=0, metavar="N", help="refine the mask in N passes")
    p.add_argument("--clean", action="store_true", help="without the released code's quirks")
    p.add_argument("--several", action="store_true", help="three masks, as for an ambiguous prompt")
    p.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    a = p.parse_args()
    dtype = getattr(torch, a.dtype)
    image = Image.open(a.image)
    with torch.no_grad():
        w, config = checkpoint(a.model, dtype)
        prompt = {}
        if a.point:
            points = np.array([[float(x) for x in point.split(",")] for point in a.point])
            prompt |= {"points": torch.from_numpy(points[:, :2]), "labels": torch.from_numpy(points[:, 2]).long()}
        if a.box:
            prompt["box"] = torch.tensor([float(x) for x in a.box.split(",")], dtype=torch.float64)
        if a.mask:
            coarse = (np.asarray(Image.open(a.mask).convert("RGB"))[..., 0] > 127).astype(np.uint8)
            if a.cascade:
                prompt["coarse"] = torch.from_numpy(coarse).float()
            else:
                side = 4 * config["vision_config"]["image_size"] // config["vision_config"]["patch_size"]
                prompt["mask"] = sam_model.prior(coarse, side, not a.clean)
        options = dict(several=a.several, passes=a.cascade, quirks=not a.clean)
        write(a.out, answer(w, config, image, prompt, **options), metadata(a.image.name, **options))


if __name__ == "__main__":
    main()
