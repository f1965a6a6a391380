#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A checkpoint folder of STAMP-2B's true sizes with random weights, to measure loading, memory and speed on.

    .venv/bin/python benchmarks/make_checkpoint.py --out build/random-2b [--layers 28] [--blocks 32]

bfloat16, old key names, one file, tied embedding of 151661 rows (4.4 GB at full depth). The tokenizer is the shipped
model's: its ids fit, so the command runs; what it answers is noise, so force an answer with `stamp segment --response`.
"""
import argparse
import json
import pathlib
import shutil

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
HIDDEN, FFN, HEADS, KV_HEADS, VOCAB, VISION = 1536, 8960, 12, 2, 151661, 1280


def shapes(layers, blocks):
    head = HIDDEN // HEADS
    yield "visual.patch_embed.proj.weight", (VISION, 3, 2, 14, 14)
    for i in range(blocks):
        b = f"visual.blocks.{i}."
        yield from ((f"{b}norm{n}.{x}", (VISION,)) for n in (1, 2) for x in ("weight", "bias"))
        yield from ((b + "attn.qkv.weight", (3 * VISION, VISION)), (b + "attn.qkv.bias", (3 * VISION,)))
        yield from ((b + "attn.proj.weight", (VISION, VISION)), (b + "attn.proj.bias", (VISION,)))
        yield from ((b + "mlp.fc1.weight", (4 * VISION, VISION)), (b + "mlp.fc1.bias", (4 * VISION,)))
        yield from ((b + "mlp.fc2.weight", (VISION, 4 * VISION)), (b + "mlp.fc2.bias", (VISION,)))
    m = "visual.merger."
    yield from ((m + "ln_q.weight", (VISION,)), (m + "ln_q.bias", (VISION,)))
    yield from ((m + "mlp.0.weight", (4 * VISION, 4 * VISION)), (m + "mlp.0.bias", (4 * VISION,)))
    yield from ((m + "mlp.2.weight", (HIDDEN, 4 * VISION)), (m + "mlp.2.bias", (HIDDEN,)))
    yield "model.embed_tokens.weight", (VOCAB, HIDDEN)
    for i in range(layers):
        p = f"model.layers.{i}."
        yield from ((p + "input_layernorm.weight", (HIDDEN,)), (p + "post_attention_layernorm.weight", (HIDDEN,)))
        for name, out in (("q", HIDDEN), ("k", KV_HEADS * head), ("v", KV_HEADS * head)):
            yield from ((f"{p}self_attn.{name}_proj.weight", (out, HIDDEN)), (f"{p}self_attn.{name}_proj.bias", (out,)))
        yield p + "self_attn.o_proj.weight", (HIDDEN, HIDDEN)
        yield from ((p + "mlp.gate_proj.weight", (FFN, HIDDEN)), (p + "mlp.up_proj.weight", (FFN, HIDDEN)))
        yield p + "mlp.down_proj.weight", (HIDDEN, FFN)
    yield from (("model.norm.weight", (HIDDEN,)), ("classifier.weight", (1, HIDDEN)), ("classifier.bias", (1,)))


def numbers(shape, rng, noise):
    """Normal(0, 0.02) of a tensor's shape, flat; read from `noise` at a place of its own."""
    start = rng.integers(len(noise))
    return np.resize(np.roll(noise, -start), int(np.prod(shape))) * np.float32(0.02)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--layers", type=int, default=28)
    parser.add_argument("--blocks", type=int, default=32)
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    tiny = ROOT / "examples/models/tiny"
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        shutil.copy(tiny / name, chosen.out / name)
    small = json.loads((tiny / "config.json").read_text())
    config = {key: value for key, value in small.items() if not isinstance(value, dict) or key == "vision_config"}
    config |= {"hidden_size": HIDDEN, "intermediate_size": FFN, "num_hidden_layers": chosen.layers,
               "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "vocab_size": VOCAB, "rms_norm_eps": 1e-6,
               "rope_theta": 1e6, "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
               "max_position_embeddings": 32768, "hidden_act": "silu", "tie_word_embeddings": True,
               "torch_dtype": "bfloat16", "use_sliding_window": False}
    config["vision_config"] = {"depth": chosen.blocks, "embed_dim": VISION, "num_heads": 16, "mlp_ratio": 4,
                               "hidden_size": HIDDEN, "patch_size": 14, "temporal_patch_size": 2,
                               "spatial_merge_size": 2, "in_channels": 3, "hidden_act": "quick_gelu"}
    (chosen.out / "config.json").write_text(json.dumps(config, indent=1))
    (chosen.out / "preprocessor_config.json").write_text(json.dumps(
        {"min_pixels": 802816, "max_pixels": 1003520, "patch_size": 14, "temporal_patch_size": 2, "merge_size": 2}))

    header, offset = {}, 0
    for name, shape in shapes(chosen.layers, chosen.blocks):
        end = offset + 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(1 << 22).astype(np.float32)  # reused from random places: quick, and no two alike
    with open(chosen.out / "model.safetensors", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, shape in shapes(chosen.layers, chosen.blocks):
            values = numbers(shape, rng, noise)
            if "norm" in name or "ln_q" in name:
                values += np.float32(name.endswith("weight"))
            file.write((values.view(np.uint32) >> 16).astype(np.uint16).tobytes())
    print(f"{chosen.out}: {offset / 1e9:.2f} GB of weights")


if __name__ == "__main__":
    main()
