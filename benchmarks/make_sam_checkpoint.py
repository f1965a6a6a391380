#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A SAM checkpoint of a published model's true sizes with random weights, to measure speed and memory on.

    .venv/bin/python benchmarks/make_sam_checkpoint.py --model vit_h --out build/random-sam-vit_h/model.safetensors

bfloat16, released names (1.3 GB for vit_h). No config.json: the width tells which model it is.
"""
import argparse
import pathlib
import sys

import torch
from safetensors.torch import save_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "reference/pytorch"))
from sam_goldens import shapes  # noqa: E402

# width, blocks, heads, blocks that see the whole image
PUBLISHED = {"vit_b": (768, 12, 12, [2, 5, 8, 11]), "vit_l": (1024, 24, 16, [5, 11, 17, 23]),
             "vit_h": (1280, 32, 16, [7, 15, 23, 31])}


def config(model):
    """Sizes as transformers' SamConfig names them."""
    width, blocks, heads, whole = PUBLISHED[model]
    return {
        "vision_config": dict(
            hidden_size=width, output_channels=256, num_hidden_layers=blocks, num_attention_heads=heads,
            mlp_dim=4 * width, image_size=1024, patch_size=16, window_size=14, global_attn_indexes=whole,
            layer_norm_eps=1e-6, num_pos_feats=128),
        "prompt_encoder_config": dict(hidden_size=256, image_size=1024, patch_size=16, mask_input_channels=16),
        "mask_decoder_config": dict(
            hidden_size=256, mlp_dim=2048, num_hidden_layers=2, num_attention_heads=8, attention_downsample_rate=2,
            num_multimask_outputs=3, iou_head_depth=3, iou_head_hidden_dim=256),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=PUBLISHED, default="vit_h")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    chosen = parser.parse_args()
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    random = torch.Generator().manual_seed(0)
    weights = {}
    for name, shape in shapes(config(chosen.model)).items():
        gain = 1 if len(shape) == 1 and name.endswith("weight") else 0  # norms
        weights[name] = (gain + 0.02 * torch.randn(shape, generator=random)).bfloat16()
    part = chosen.out.with_name(chosen.out.name + ".part")
    save_file(weights, part)
    part.replace(chosen.out)
    print(f"{chosen.out}: {chosen.out.stat().st_size / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
