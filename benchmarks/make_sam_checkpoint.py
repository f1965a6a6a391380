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
from sam_model import PUBLISHED, published_config  # noqa: E402

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=PUBLISHED, default="vit_h")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    chosen = parser.parse_args()
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    random = torch.Generator().manual_seed(0)
    weights = {}
    for name, shape in shapes(published_config(chosen.model)).items():
        gain = 1 if len(shape) == 1 and name.endswith("weight") else 0  # norms
        weights[name] = (gain + 0.02 * torch.randn(shape, generator=random)).bfloat16()
    part = chosen.out.with_name(chosen.out.name + ".part")
    save_file(weights, part)
    part.replace(chosen.out)
    print(f"{chosen.out}: {chosen.out.stat().st_size / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
