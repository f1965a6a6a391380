# SPDX-License-Identifier: Apache-2.0
"""Times SAM in PyTorch (transformers' SamModel): asks what benchmarks/sam_phases.cpp asks, by the same protocol.

    python time_sam.py --model FILE.safetensors --size vit_h [--dtype bf16] [--threads 2]

Prints a JSON line that describes it, then answers every line `run` with one: seconds of the image `encoder` and of one
prompt through the `decoder` up to full-size logits, and the low-resolution `logits` for both sides to be held together.
"""
import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file
from torch.nn import functional as F

from sam_goldens import hugging_face_model
from sam_model import MEAN, STD, published_config

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
PROMPTS = 21  # asked after each encoding; the median counts
POINT = (500.0, 375.0)


def picture(side, dtype):
    """The high bits of a multiplicative hash as pixels: the same picture in every language."""
    bytes_ = torch.arange(side * side * 3) * 2654435761 % 2**32 // 2**24
    pixels = bytes_.view(side, side, 3).float()
    return ((pixels - torch.tensor(MEAN)) / torch.tensor(STD)).permute(2, 0, 1)[None].to(dtype)


def run(model, pixels, dtype):
    side = pixels.shape[-1]
    clock = [time.perf_counter()]
    image = model.get_image_embeddings(pixels)
    clock.append(time.perf_counter())
    for _ in range(PROMPTS):
        found = model(image_embeddings=image, input_points=torch.tensor([[[POINT]]], dtype=dtype),
                      input_labels=torch.ones(1, 1, 1, dtype=torch.long), multimask_output=False)
        low = found.pred_masks[0, 0]
        F.interpolate(low[None].float(), (side, side), mode="bilinear", align_corners=False)
        clock.append(time.perf_counter())
    encoder, *decoder = (after - before for before, after in zip(clock, clock[1:]))
    return {"encoder": encoder, "decoder": statistics.median_high(decoder), "logits": low.flatten().float().tolist()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--size", required=True, help="vit_b, vit_l or vit_h")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", choices=DTYPES, default="bf16")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    dtype = DTYPES[chosen.dtype]
    with torch.inference_mode():
        weights = {name: tensor.to(dtype) for name, tensor in load_file(chosen.model).items()}
        model = hugging_face_model(weights, published_config(chosen.size))
        del weights
        pixels = picture(model.config.vision_config.image_size, dtype)
        print(json.dumps({"name": "PyTorch", "dtype": chosen.dtype, "threads": torch.get_num_threads(),
                          "attention": model.config._attn_implementation, "torch": torch.__version__,
                          "transformers": transformers.__version__}), flush=True)
        for line in sys.stdin:
            if line.strip() != "run":
                break
            print(json.dumps(run(model, pixels, dtype)), flush=True)


if __name__ == "__main__":
    main()
