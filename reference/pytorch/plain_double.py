# SPDX-License-Identifier: Apache-2.0
"""STAMP once more, in numpy and float64 only, straight from the formulas: the judge of the float64 goldens.

    python plain_double.py [CASE ...]       # prints the worst relative difference of each float64 golden

It shares no code with transformers or with `stamp_model.py`; it reads weights, configuration and the goldens' inputs.
"""
import argparse
import json
import sys
from math import erf
from pathlib import Path

import numpy as np
from safetensors.torch import load_file
from safetensors import safe_open

GOLDENS = Path(__file__).resolve().parents[2] / "tests/goldens"
ALLOWED = 1e-11


def weights(folder):
    """All tensors by their new names, widened; an adapter is merged into its base."""
    out = {}
    if not (folder / "adapter_config.json").exists():
        for file in sorted(folder.glob("*.safetensors")):
            for name, tensor in load_file(file).items():
                name = "model." + name if name.startswith("visual.") else name
                if name.startswith("model.") and not name.startswith(("model.visual.", "model.language_model.")):
                    name = name.replace("model.", "model.language_model.", 1)
                out[name] = tensor.double().numpy()
        return out
    adapter = json.loads((folder / "adapter_config.json").read_text())
    out = weights(folder / adapter["base_model_name_or_path"])
    parts = {k.removeprefix("base_model.model."): v.double().numpy()
             for k, v in load_file(folder / "adapter_model.safetensors").items()}
    for name, value in parts.items():
        if name.endswith(".lora_A.weight"):
            up = parts[name.replace("lora_A", "lora_B")]
            out[name.replace(".lora_A", "")] = (
                out[name.replace(".lora_A", "")] + adapter["lora_alpha"] / np.sqrt(adapter["r"]) * up @ value)
        elif "lora_B" not in name:
            out[name] = value
    return out


def layer_norm(x, w, name):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6) * w[name + ".weight"] + w[name + ".bias"]


def rms_norm(x, weight, eps):
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + eps) * weight


def linear(x, w, name):
    return x @ w[name + ".weight"].T + w.get(name + ".bias", 0.0)


def rotate(x, angles):
    """x [tokens, heads, 2n] turned by angles [tokens, n]: the pairs are (i, i + n)."""
    first, second = np.split(x, 2, axis=-1)
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)


def attend(q, k, v, allowed):
    """[queries, heads, width] over [keys, kv heads, width]; query head h reads kv head h / group."""
    group = q.shape[1] // k.shape[1]
    out = np.empty_like(q)
    for head in range(q.shape[1]):
        scores = q[:, head] @ k[:, head // group].T / np.sqrt(q.shape[2])
        scores = np.where(allowed, scores, -np.inf)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        out[:, head] = scores / scores.sum(-1, keepdims=True) @ v[:, head // group]
    return out.reshape(len(q), -1)


def vision(w, config, pixels, grids):
    heads, merge = config["num_heads"], config["spatial_merge_size"]
    x = pixels @ w["model.visual.patch_embed.proj.weight"].reshape(config["embed_dim"], -1).T
    cells, image = [], []
    for index, (_, h, w_) in enumerate(grids):
        for r in range(0, h, merge):
            for c in range(0, w_, merge):
                cells += [(r + i, c + j) for i in range(merge) for j in range(merge)]
        image += [index] * (h * w_)
    image, width = np.array(image), config["embed_dim"] // heads
    frequencies = 10000.0 ** (-np.arange(0, width // 2, 2) / (width // 2))
    angles = (np.array(cells)[:, :, None] * frequencies).reshape(len(cells), -1)
    seen = {}
    for i in range(config["depth"]):
        name = f"model.visual.blocks.{i}."
        q, k, v = np.split(linear(layer_norm(x, w, name + "norm1"), w, name + "attn.qkv"), 3, axis=-1)
        q, k, v = (part.reshape(len(x), heads, width) for part in (q, k, v))
        mixed = attend(rotate(q, angles), rotate(k, angles), v, image[:, None] == image[None])
        x = x + linear(mixed, w, name + "attn.proj")
        inner = linear(layer_norm(x, w, name + "norm2"), w, name + "mlp.fc1")
        x = x + linear(inner / (1 + np.exp(-1.702 * inner)), w, name + "mlp.fc2")
        seen[f"vision.blocks.{i}"] = x
    merged = layer_norm(x, w, "model.visual.merger.ln_q").reshape(-1, config["embed_dim"] * merge**2)
    inner = linear(merged, w, "model.visual.merger.mlp.0")
    inner = inner * (1 + np.vectorize(erf)(inner / np.sqrt(2))) / 2
    seen["vision.merger"] = linear(inner, w, "model.visual.merger.mlp.2")
    return seen


def language(w, config, x, positions, allowed):
    """The decoder over the whole of [history | masks] at once."""
    heads, keys = config["num_attention_heads"], config["num_key_value_heads"]
    width = config["hidden_size"] // heads
    axis = np.repeat([0, 1, 2], config["rope_scaling"]["mrope_section"])
    frequencies = config["rope_theta"] ** (-np.arange(0, width, 2) / width)
    angles = positions[axis].T * frequencies
    seen = {}
    for i in range(config["num_hidden_layers"]):
        name = f"model.language_model.layers.{i}."
        y = rms_norm(x, w[name + "input_layernorm.weight"], config["rms_norm_eps"])
        q, k, v = (linear(y, w, f"{name}self_attn.{part}_proj").reshape(len(x), -1, width) for part in "qkv")
        assert q.shape[1] == heads and k.shape[1] == keys
        x = x + linear(attend(rotate(q, angles), rotate(k, angles), v, allowed), w, name + "self_attn.o_proj")
        y = rms_norm(x, w[name + "post_attention_layernorm.weight"], config["rms_norm_eps"])
        gate, up = linear(y, w, name + "mlp.gate_proj"), linear(y, w, name + "mlp.up_proj")
        x = x + linear(gate / (1 + np.exp(-gate)) * up, w, name + "mlp.down_proj")
        seen[f"layers.{i}"] = x
    seen["norm"] = rms_norm(x, w["model.language_model.norm.weight"], config["rms_norm_eps"])
    return seen


def positions_of(ids, image_pad, grids, merge):
    """M-RoPE positions: text counts on all axes, an image token adds (0, row, column) to where its image starts."""
    out, at, index, image = [], 0, 0, 0
    while index < len(ids):
        if ids[index] != image_pad:
            out.append((at, at, at))
            index, at = index + 1, at + 1
            continue
        h, w = grids[image][1] // merge, grids[image][2] // merge
        out += [(at, at + r, at + c) for r in range(h) for c in range(w)]
        index, at, image = index + h * w, at + max(h, w), image + 1
    return np.array(out).T


def run(folder, golden, metadata):
    """All tensors of the contract that the golden holds."""
    settings_folder = folder
    if (folder / "adapter_config.json").exists():
        settings_folder = folder / json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"]
    config = json.loads((settings_folder / "config.json").read_text())
    text = config.get("text_config", config)
    w, token = weights(folder), json.loads(metadata["tokens"])
    ids, grids = golden["input_ids"].numpy(), golden["image_grid_thw"].numpy()
    merge = config["vision_config"]["spatial_merge_size"]
    out = vision(w, config["vision_config"], golden["pixel_values"].double().numpy(), grids)
    embed = w["model.language_model.embed_tokens.weight"]
    x = embed[ids].copy()
    x[ids == token["image_pad"]] = out["vision.merger"]
    at = positions_of(ids, token["image_pad"], grids, merge)
    out["position_ids"] = at
    whole = language(w, text, x, at, np.tri(len(ids), dtype=bool))
    out |= {"language." + name: value for name, value in whole.items()}
    out["language.logits"] = w.get("lm_head.weight", embed) @ whole["norm"][int(metadata["prompt_length"]) - 1]
    h, width = grids[-1][1] // merge, grids[-1][2] // merge
    for k, seg in enumerate(np.flatnonzero(ids == token["seg"])):
        cells = np.arange(h * width)
        axes = [cells] * 3 if metadata["mask_positions"] == "text" else [0 * cells, cells // width, cells % width]
        mask_at = np.array(axes) + at[0, seg] + 1
        masks = embed[token["mask"]] + out["vision.merger"][-h * width:]
        history = seg + 1
        allowed = np.tri(history + len(masks), dtype=bool)
        allowed[history:] = True
        both = np.concatenate([x[:history], masks])
        seen = language(w, text, both, np.concatenate([at[:, :history], mask_at], axis=1), allowed)
        out |= {f"mask.{k}.{name}": value[history:] for name, value in seen.items()}
        out[f"mask.{k}.position_ids"], out[f"mask.{k}.embeddings"] = mask_at, masks
        out[f"mask.{k}.logits"] = linear(out[f"mask.{k}.norm"], w, "classifier").reshape(h, width)
    return out


def main(names):
    worst = 0.0
    for case in json.loads((GOLDENS / "cases.json").read_text())["cases"]:
        if not case["activations_float64"] or (names and case["name"] not in names):
            continue
        path = GOLDENS / case["activations_float64"]
        golden = load_file(path)
        with safe_open(path, "pt") as file:
            found = run(GOLDENS / case["model"], golden, file.metadata())
        inputs = ("input_ids", "image_grid_thw", "pixel_values")
        relative = {name: np.abs(found[name] - golden[name].numpy()).max() / np.abs(golden[name].numpy()).max()
                    for name in golden if name not in inputs}
        name = max(relative, key=relative.get)
        worst = max(worst, relative[name])
        print(f"{path.name}: {len(relative)} tensors, worst relative difference {relative[name]:.1e} at {name}")
    return 0 if worst < ALLOWED else 1


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("cases", nargs="*", metavar="CASE")
    sys.exit(main(arguments.parse_args().cases))
