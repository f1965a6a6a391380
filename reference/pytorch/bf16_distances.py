#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How far PyTorch's own bfloat16 run is from its float32 run, tensor by tensor, on every golden: the measure that
the fast backends' bfloat16 is held against. Writes tests/goldens/bf16_distances.json.

The float32 runs stand for exact ones: where a float64 run is kept as well, main() sees to it that float32's distance
from it is below a thousandth of bfloat16's (1.3e-4 at most), so that no distance moves by more than that.

    .venv/bin/python reference/pytorch/bf16_distances.py
"""
import json

import torch

from goldens import CASES, DOUBLE, GOLDENS, run

LARGEST_SHARE = 1e-3  # of float32's rounding in a distance
INPUTS = ("pixel_values",)


def distance(a, b):
    """Relative L2: |a - b| / |b|."""
    a, b = a.double().flatten(), b.double().flatten()
    return float((a - b).norm() / b.norm().clamp(min=1e-30))


def distances(found, exact):
    """Of every activation, by its name; the runs must have the same ones, for the same words."""
    found, exact = ({name: torch.as_tensor(tensor) for name, tensor in run.items()} for run in (found, exact))
    assert found.keys() == exact.keys(), found.keys() ^ exact.keys()
    assert torch.equal(found["input_ids"], exact["input_ids"])
    for name, tensor in exact.items():
        assert found[name].shape == tensor.shape, name
    return {name: distance(found[name], tensor) for name, tensor in exact.items()
            if tensor.is_floating_point() and name not in INPUTS}


def main():
    out, shares = {}, {}
    for name in CASES:
        exact, _ = run(name)
        # A generated answer is told again: in bfloat16 it could be another one.
        rough, _ = run(name, "bfloat16", ids=exact["input_ids"])
        out[name] = {key: round(value, 6) for key, value in distances(rough, exact).items()}
        print(name, max(out[name].values()), flush=True)
        if name in DOUBLE:
            double, _ = run(name, "float64")
            single, half = ({key: tensors[key] for key in double} for tensors in (exact, rough))
            from_double = distances(half, double)
            shares |= {(name, key): value / from_double[key] for key, value in distances(single, double).items()}
    (case, tensor), share = max(shares.items(), key=lambda item: item[1])
    print(f"float32's rounding is at most {share:.1e} of a distance: {case}, {tensor}")
    assert share < LARGEST_SHARE
    (GOLDENS / "bf16_distances.json").write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()
