# SPDX-License-Identifier: Apache-2.0
"""Prints what plausible mistakes move: the table in tests/goldens/README.md.

Each mistake is an edit of `plain_double.py`'s text; the number is the largest change of mask 0's logits against the
golden, relative to its largest value. A test suite that passes with such a mistake is too weak.
"""
import json
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.torch import load_file

SOURCE = Path(__file__).with_name("plain_double.py")
GOLDENS = SOURCE.parents[2] / "tests/goldens"
CASES = ("tied-single", "tied-two-images", "untied-gqa-several", "sharded-bf16-single", "lora-single",
         "tiny16-last-seg")
NOISE = 4e-6
ERF_GELU = "inner * (1 + np.vectorize(erf)(inner / np.sqrt(2))) / 2"
TANH_GELU = "inner * (1 + np.tanh(np.sqrt(2 / np.pi) * (inner + 0.044715 * inner**3))) / 2"
MISTAKES = {
    "rotary sections reversed": ('["mrope_section"])', '["mrope_section"][::-1])'),
    "height and width sections swapped": ("np.repeat([0, 1, 2],", "np.repeat([0, 2, 1],"),
    "vision qkv bias left out": ('w, name + "attn.qkv")', '{name + "attn.qkv.weight": w[name + "attn.qkv.weight"]}, '
                                 'name + "attn.qkv")'),
    "key bias left out": ('linear(y, w, f"{name}self_attn', 'linear(y, {k: v for k, v in w.items() if not '
                          'k.endswith("k_proj.bias")}, f"{name}self_attn'),
    "LayerNorm eps 1e-5 for 1e-6": ("+ 1e-6", "+ 1e-5"),
    "RMSNorm eps ten times as large": ("keepdims=True) + eps)", "keepdims=True) + 10 * eps)"),
    "GELU for QuickGELU": ("inner / (1 + np.exp(-1.702 * inner))", ERF_GELU),
    "tanh for erf GELU in the merger": (f"    inner = {ERF_GELU}", f"    inner = {TANH_GELU}"),
    "patches in column order within a group": ("for i in range(merge) for j in", "for j in range(merge) for i in"),
    "vision attention across images": ("image[:, None] == image[None]", "image[:, None] >= 0"),
    "query head reads kv head modulo": ("head // group", "head % k.shape[1]"),
    "grid for text positions (or back)": ('["mask_positions"] == "text"', '["mask_positions"] != "text"'),
    "causal mask tokens": ("        allowed[history:] = True\n", ""),
    "the seg token left out of the history": ("history = seg + 1", "history = seg"),
    "Embed(mask) left out": ('masks = embed[token["mask"]] +', "masks ="),
    "the first image's features": ("[-h * width:]", "[:h * width]"),
    "classifier before the final norm": ('linear(out[f"mask.{k}.norm"]',
                                         'linear(out[max(n for n in out if n.startswith(f"mask.{k}.layers"))]'),
    "LoRA scaled by alpha / r": ('adapter["lora_alpha"] / np.sqrt(adapter["r"])',
                                 'adapter["lora_alpha"] / adapter["r"]'),
}


def moved(case, module):
    golden = load_file(GOLDENS / case["activations"])
    with safe_open(GOLDENS / case["activations"], "pt") as file:
        found = module["run"](GOLDENS / case["model"], golden, file.metadata())
    expected = golden["mask.0.logits"].numpy()
    worst = np.abs(found["mask.0.logits"] - expected).max() / np.abs(expected).max()
    return f"{worst:.0e}" if worst > NOISE else "-"


def main():
    source = SOURCE.read_text()
    cases = {case["name"]: case for case in json.loads((GOLDENS / "cases.json").read_text())["cases"]}
    print(f"| mistake | {' | '.join(CASES)} |\n| --- |{' --- |' * len(CASES)}")
    for mistake, (right, wrong) in MISTAKES.items():
        assert right in source, mistake
        module = {"__name__": "mistaken", "__file__": str(SOURCE)}
        exec(source.replace(right, wrong), module)  # our own file, edited
        print(f"| {mistake} | {' | '.join(moved(cases[name], module) for name in CASES)} |", flush=True)


if __name__ == "__main__":
    main()
