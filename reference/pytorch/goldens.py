# SPDX-License-Identifier: Apache-2.0
"""Builds everything that the C++ parity tests compare with: tiny checkpoints, images, activations, the case list.

    python goldens.py                 # all of it, into tests/goldens
    python goldens.py tied-single     # the activations of some cases only
"""
import argparse
import fnmatch
import json
from pathlib import Path

from PIL import Image

import tiny_checkpoints
from export_activations import export, parser, seed_image, write

GOLDENS = tiny_checkpoints.ROOT / "tests/goldens"

# file: width, height, seed of the drawing
IMAGES = {"tall.png": (61, 90, 1), "wide.png": (105, 62, 2), "flat.png": (70, 25, 3), "square.png": (33, 31, 4)}

BRIEF = "Be brief."
# model, images, prompt, answer (None: generated), and what differs from the exporter's defaults
CASES = {
    "tied-single": ("tied", ["tall.png"], "the red mug on the left", "It is <|seg|>", {}),
    "tied-grid": ("tied", ["tall.png"], "the green circle", "It is here <|seg|>.", dict(
        mask_positions="grid", system=BRIEF)),
    "tied-two-images": ("tied", ["wide.png", "tall.png"], "the same in the image", "Sure <|seg|> and <|seg|>.", dict(
        system=BRIEF)),
    "tied-text-only": ("tied", [], "What is shown?", "Nothing matches.", dict(
        system=BRIEF)),
    "untied-gqa-several": ("untied-gqa", ["wide.png"], "the two largest stars", "<|seg|> a <|seg|><|seg|>.", dict(
        system=BRIEF)),
    "untied-gqa-grid": ("untied-gqa", ["wide.png"], "each star", "One <|seg|>, two <|seg|>", dict(
        mask_positions="grid", resize="torch-u8", system=BRIEF)),
    "untied-gqa-no-mask": ("untied-gqa", ["square.png"], "the снег", "Nothing matches.", dict(system=BRIEF)),
    "sharded-bf16-single": (
        "sharded-bf16", ["tall.png"], "not <|seg|> nor <|image_pad|>", "It <|seg|> is <|seg|>", dict(system=BRIEF)),
    "sharded-bf16-grid": ("sharded-bf16", ["wide.png"], "the green circle", "Here <|seg|>", dict(
        mask_positions="grid", resize="torch-f32", system=BRIEF)),
    "lora-single": ("lora", ["tall.png"], "the red mug", "It is here <|seg|>.", dict(system=BRIEF)),
    "lora-two-images-grid": ("lora", ["square.png", "flat.png"], "the same", "<|seg|>", dict(
        mask_positions="grid", system=BRIEF)),
    "lora-generated": ("lora", ["square.png"], "show the me", None, dict(system=BRIEF)),
    "lora-limit-on-seg": ("lora", ["square.png"], "show the me", None, dict(system=BRIEF, max_new_tokens=3)),
    "tiny16-single": ("tiny16", ["tall.png"], "the blue square", "It is here <|seg|> or <|seg|>.", dict(system=BRIEF)),
    "tiny16-last-seg": ("tiny16", ["wide.png"], "the mug", "It is <|seg|>", dict(
        mask_positions="grid", no_end=True, system=BRIEF)),
    "tiny16-prompt-seg": ("tiny16", ["flat.png"], "the one like <|seg|> here", "It is <|seg|>", dict(
        allow_special=True, system=BRIEF)),
}
# Kept in float64, too, as far as the patterns go: the oracle of the reference backend in double.
DOUBLE = ("tied-single", "untied-gqa-several", "sharded-bf16-single", "lora-single", "tiny16-last-seg")
IN_DOUBLE = ("input_ids", "position_ids", "pixel_values", "image_grid_thw", "vision.blocks.0", "vision.merger",
              "language.norm", "language.logits", "mask.*")


def options(name, dtype="float32", goldens=GOLDENS):
    """The exporter's options of one case."""
    model, images, prompt, answer, others = CASES[name]
    chosen = parser().parse_args(["--model", str(goldens / "models" / model), "--out", "-", "--cross-check"])
    chosen.image = [str(goldens / "images-parity" / image) for image in images]
    chosen.prompt, chosen.response, chosen.dtype = prompt, answer, dtype
    for option, value in others.items():
        assert hasattr(chosen, option)
        setattr(chosen, option, value)
    return chosen


def run(name, dtype="float32", goldens=GOLDENS, ids=None):
    """Tensors and metadata of one case, as they are kept; for the words `ids` where they are given."""
    tensors, metadata = export(options(name, dtype, goldens), ids)
    if dtype == "float64":
        tensors = {k: v for k, v in tensors.items() if any(fnmatch.fnmatch(k, pattern) for pattern in IN_DOUBLE)}
    return tensors, metadata


def file_name(name, dtype="float32"):
    return f"activations/{name}{'.f64' if dtype == 'float64' else ''}.safetensors"


def runs(names):
    """All (case, dtype) of these cases."""
    return [(name, dtype) for name in names for dtype in ("float32", "float64")
            if dtype == "float32" or name in DOUBLE]


def case_list():
    """cases.json: everything that a data-driven test needs; paths are relative to it."""
    cases = []
    for name, (model, images, prompt, answer, others) in CASES.items():
        cases.append({
            "name": name, "model": f"models/{model}", "activations": file_name(name),
            "activations_float64": file_name(name, "float64") if name in DOUBLE else None,
            "images": [f"images-parity/{image}" for image in images], "prompt": prompt, "response": answer,
            "mask_positions": "text", "resize": "pillow", "system": None, "allow_special": False, "no_end": False,
            "max_new_tokens": None} | others)
    return {"format": 1, "cases": cases}


def main(names):
    if not names:
        tiny_checkpoints.main(GOLDENS / "models")
        (GOLDENS / "images-parity").mkdir(parents=True, exist_ok=True)
        for file, drawing in IMAGES.items():
            seed_image(*drawing).save(GOLDENS / "images-parity" / file, optimize=True)
    for name, dtype in runs(names or CASES):
        write(GOLDENS / file_name(name, dtype), *run(name, dtype))
        print(file_name(name, dtype), flush=True)
    (GOLDENS / "cases.json").write_text(json.dumps(case_list(), indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("cases", nargs="*", choices=[[], *CASES], metavar="CASE")
    main(arguments.parse_args().cases)
