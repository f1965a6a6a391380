#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How far PyTorch's own bfloat16 run is from its float32 run, tensor by tensor, on every golden: the measure that
the fast backends' bfloat16 is held against. Writes tests/goldens/bf16_distances.json.

    .venv/bin/python reference/pytorch/bf16_distances.py
"""
import json

import torch

from goldens import CASES, GOLDENS, run


def distance(a, b):
    """Relative L2: |a - b| / |b|."""
    a, b = a.double().flatten(), b.double().flatten()
    return float((a - b).norm() / b.norm().clamp(min=1e-30))


def main():
    out = {}
    for name in CASES:
        exact, rough = run(name)[0], run(name, "bfloat16")[0]
        out[name] = {key: round(distance(torch.as_tensor(rough[key]), torch.as_tensor(value)), 6)
                     for key, value in exact.items()
                     if torch.as_tensor(value).is_floating_point() and key != "pixel_values" and key in rough
                     and torch.as_tensor(rough[key]).shape == torch.as_tensor(value).shape}
        print(name, max(out[name].values()), flush=True)
    (GOLDENS / "bf16_distances.json").write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()
