# SPDX-License-Identifier: Apache-2.0
"""Live parity: runs PyTorch again on every golden case and compares with the committed activations.

    python compare_goldens.py [--keep DIR] [CASE ...]

Exits 1 when a tensor differs and names the first one, in the order of computation. `--keep` leaves the fresh
activation files, so that `stamp parity` can be run on them, too.
"""
import argparse
import re
import sys
import tempfile
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file

from export_activations import write
from goldens import CASES, GOLDENS, file_name, run, runs

# THE tolerances: for float32 those of torch.testing.assert_close, for float64 tighter than its own, as the goldens
# are deterministic up to the order of sums; both times the number of residual blocks that a value went through, + 1.
TOLERANCES = {torch.float32: (1.3e-6, 1e-5), torch.float64: (1e-11, 1e-11)}  # relative, absolute


def depth(name, vision_blocks, layers):
    """How many residual blocks stand before a tensor; the merger and the final norm count as one each."""
    if name in ("pixel_values", "vision.patch_embed"):
        return 0
    if name.startswith("vision."):
        return vision_blocks + 1 if name == "vision.merger" else int(name.split(".")[-1]) + 1
    before = vision_blocks + 1
    if ".layers." in name:
        return before + int(name.split(".")[-1]) + 1
    return before if name.endswith(".embeddings") else before + layers + 1


def order(name):
    """Sorts names by when they are computed."""
    stages = ("input_ids", "image_grid_thw", "pixel_values", "vision.patch_embed", "vision.blocks", "vision.merger",
              "position_ids", "embeddings", "layers", "norm", "logits")
    phase = re.match(r"mask\.(\d+)\.", name)
    rest = name[phase.end():] if phase else name.removeprefix("language.")
    number = re.search(r"\.(\d+)$", rest)
    stage = next(i for i, stage in enumerate(stages) if rest.startswith(stage))
    return (int(phase[1]) + 1 if phase else 0, stage, int(number[1]) if number else 0)


def blocks(names, prefix):
    """One more than the highest block number in a file that may hold some of the blocks only."""
    return 1 + max((int(n.removeprefix(prefix)) for n in names if n.startswith(prefix)), default=-1)


def differences(found, expected, vision_blocks, layers):
    """Names the tensors that differ, first computed first, with a sentence each."""
    for name in sorted(found.keys() | expected.keys(), key=order):
        if name not in found or name not in expected:
            yield f"{name}: only in the {'fresh run' if name in found else 'committed file'}"
            continue
        relative, absolute = TOLERANCES.get(expected[name].dtype, (0, 0))
        scale = 1 + depth(name, vision_blocks, layers) if relative else 0
        try:
            torch.testing.assert_close(
                found[name], expected[name], rtol=relative * scale, atol=absolute * scale)
        except AssertionError as error:
            yield f"{name}: {' '.join(str(error).split())}"


def compare(name, dtype, keep):
    """True if one case is as committed."""
    path = GOLDENS / file_name(name, dtype)
    fresh, metadata = run(name, dtype)
    write(keep / file_name(name, dtype), fresh, metadata)
    fresh, committed = load_file(keep / file_name(name, dtype)), load_file(path)
    names = load_file(GOLDENS / file_name(name)).keys()
    vision_blocks, layers = blocks(names, "vision.blocks."), blocks(names, "language.layers.")
    wrong = list(differences(fresh, committed, vision_blocks, layers))
    with safe_open(path, "pt") as file:
        old = file.metadata()
    volatile = ("torch", "transformers")
    wrong += [f"metadata {key}: {old.get(key)!r} committed, {metadata.get(key)!r} now"
              for key in old.keys() | metadata.keys() if key not in volatile and old.get(key) != metadata.get(key)]
    print(f"{'FAIL' if wrong else 'ok  '} {path.name}: {len(committed)} tensors", flush=True)
    if wrong:
        print(f"  first difference: {wrong[0]}; {len(wrong)} in all", flush=True)
    return not wrong


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("cases", nargs="*", choices=[[], *CASES], metavar="CASE")
    arguments.add_argument("--keep", type=Path, help="where the fresh activations stay")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        keep = chosen.keep or Path(folder)
        results = [compare(name, dtype, keep) for name, dtype in runs(chosen.cases or CASES)]
    print(f"{sum(results)} of {len(results)} files agree")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
