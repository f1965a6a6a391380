# SPDX-License-Identifier: Apache-2.0
"""Writes the trained weights as a Hugging Face folder (Qwen2-VL layout, old tensor names, bfloat16).

--check loads the folder with transformers and compares features, answer logits and mask logits with the
training model's.
"""
import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

import tiny_stamp as tiny
import tokenizer_tiny

SIDE = 384                     # pictures become about SIDE * SIDE pixels, 576 cells
TEMPLATE = (
    "{% set image_count = namespace(value=0) %}{% set video_count = namespace(value=0) %}"
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}<|im_start|>system\n"
    "You are a helpful assistant.<|im_end|>\n{% endif %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n{% else %}"
    "{% for content in message['content'] %}{% if content['type'] == 'image' or 'image' in content or "
    "'image_url' in content %}{% set image_count.value = image_count.value + 1 %}{% if add_vision_id %}"
    "Picture {{ image_count.value }}: {% endif %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif content['type'] == 'video' or 'video' in content %}"
    "{% set video_count.value = video_count.value + 1 %}{% if add_vision_id %}Video {{ video_count.value }}: "
    "{% endif %}<|vision_start|><|video_pad|><|vision_end|>{% elif 'text' in content %}"
    "{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")


def configs(t):
    i = t.token_to_id
    config = {
        "architectures": ["Qwen2VLForConditionalGeneration"], "model_type": "qwen2_vl",
        "attention_dropout": 0.0, "bos_token_id": i("<|endoftext|>"), "eos_token_id": i("<|im_end|>"),
        "vision_start_token_id": i("<|vision_start|>"), "vision_end_token_id": i("<|vision_end|>"),
        "vision_token_id": i("<|vision_pad|>"), "image_token_id": i("<|image_pad|>"),
        "video_token_id": i("<|video_pad|>"), "hidden_act": "silu", "hidden_size": tiny.WIDTH,
        "initializer_range": 0.02, "intermediate_size": tiny.FFN, "max_position_embeddings": 32768,
        "max_window_layers": tiny.DEPTH, "num_attention_heads": tiny.HEADS,
        "num_hidden_layers": tiny.DEPTH, "num_key_value_heads": 1, "rms_norm_eps": tiny.EPS,
        "rope_theta": tiny.THETA, "sliding_window": 32768, "tie_word_embeddings": True,
        "torch_dtype": "bfloat16", "transformers_version": "4.57.1", "use_cache": True,
        "use_sliding_window": False, "vocab_size": t.get_vocab_size(),
        "rope_scaling": {"type": "mrope", "mrope_section": list(tiny.SECTIONS)},
        "vision_config": {"depth": tiny.VISION_DEPTH, "embed_dim": tiny.WIDTH, "mlp_ratio": 4,
                          "num_heads": tiny.VISION_HEADS, "in_channels": 3, "in_chans": 3,
                          "hidden_act": "quick_gelu", "hidden_size": tiny.WIDTH, "model_type": "qwen2_vl",
                          "patch_size": tiny.PATCH, "spatial_patch_size": tiny.PATCH,
                          "spatial_merge_size": 1, "temporal_patch_size": 2}}
    generation = {"bos_token_id": i("<|endoftext|>"), "do_sample": False, "eos_token_id": [i("<|im_end|>")],
                  "pad_token_id": i("<|endoftext|>"), "transformers_version": "4.57.1"}
    processor = {"do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True,
                 "image_mean": [0.48145466, 0.4578275, 0.40821073],
                 "image_std": [0.26862954, 0.26130258, 0.27577711],
                 "image_processor_type": "Qwen2VLImageProcessor", "processor_class": "Qwen2VLProcessor",
                 "min_pixels": SIDE * SIDE, "max_pixels": SIDE * SIDE, "merge_size": 1,
                 "patch_size": tiny.PATCH, "temporal_patch_size": 2, "resample": 3,
                 "rescale_factor": 0.00392156862745098}
    words = {"add_prefix_space": False, "added_tokens_decoder": {
                 str(i(s)): {"content": s, "lstrip": False, "normalized": False, "rstrip": False,
                             "single_word": False, "special": True} for s in tokenizer_tiny.SPECIAL},
             "additional_special_tokens": tokenizer_tiny.SPECIAL[1:], "bos_token": None,
             "chat_template": TEMPLATE, "clean_up_tokenization_spaces": False, "eos_token": "<|im_end|>",
             "errors": "replace", "model_max_length": 32768, "pad_token": "<|endoftext|>",
             "split_special_tokens": False, "tokenizer_class": "Qwen2Tokenizer", "unk_token": None}
    return {"config.json": config, "generation_config.json": generation,
            "preprocessor_config.json": processor, "tokenizer_config.json": words}


def checkpoint(weights):
    """Training names are the checkpoint's; only the patch kernel gets its two equal frames."""
    out = {}
    for name, t in weights.items():
        if name.startswith(("dense", "point")):
            continue
        if name == "visual.patch_embed.proj.weight":
            t = (t / 2).view(tiny.WIDTH, 3, 1, tiny.PATCH, tiny.PATCH).expand(-1, -1, 2, -1, -1)
        out[name] = t.to(torch.bfloat16).contiguous()
    return out


def read(folder):
    """The exported weights as the training model wants them, float32."""
    w = {n: t.float() for n, t in load_file(folder / "model.safetensors").items()}
    n = "visual.patch_embed.proj.weight"
    w[n] = w[n].sum(2).flatten(1)
    return w


def check(folder):
    from transformers import Qwen2VLForConditionalGeneration, AutoTokenizer
    torch.manual_seed(0)
    w = read(folder)
    hf = Qwen2VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32,
                                                         attn_implementation="eager").eval()
    words = AutoTokenizer.from_pretrained(folder)
    gh, gw = 17, 23
    n = gh * gw
    flat = torch.randn(1, n, 3 * 256)
    head = words("<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
                 "<|vision_start|>").input_ids
    tail = words("<|vision_end|>the red circle<|im_end|>\n<|im_start|>assistant\nIt is <|seg|>").input_ids
    ids = torch.tensor([head + [hf.config.image_token_id] * n + tail])
    grid = torch.tensor([[1, gh, gw]])
    pixels = flat[0].view(n, 3, 1, 256).expand(n, 3, 2, 256).reshape(n, -1)
    with torch.no_grad():
        ours = tiny.vision(w, flat, gh, gw)
        cells, branch, masks, *_ = tiny.language(
            w, ours, torch.tensor(head), torch.tensor([[tail]]), torch.tensor([[len(tail) - 1]]),
            words.convert_tokens_to_ids("<|mask|>"), gh, gw, 1)
        theirs = hf.model.visual(pixels, grid_thw=grid)
        theirs = torch.cat(theirs) if isinstance(theirs, (tuple, list)) else theirs
        logits = hf(input_ids=ids, pixel_values=pixels, image_grid_thw=grid,
                    attention_mask=torch.ones_like(ids)).logits
        print("features", float((ours[0] - theirs).abs().max()), "of", float(theirs.abs().max()))
        mine = branch[0, 0] @ w["model.embed_tokens.weight"].t()
        other = logits[0, -len(tail):]
        print("answer logits", float((mine - other).abs().max()), "of", float(other.abs().max()))
        # mask pass the uncached way: one sequence, hybrid mask
        L = ids.shape[1]
        e = hf.model.language_model.embed_tokens
        x = e(ids)
        x[0, len(head):len(head) + n] = theirs
        m = e(torch.tensor(words.convert_tokens_to_ids("<|mask|>"))) + theirs
        position, _ = hf.model.get_rope_index(ids, grid, None, torch.ones_like(ids))
        at = position[:, 0, -1:] + 1 + torch.arange(n)
        allow = torch.ones(L + n, L + n).tril().bool()
        allow[L:] = True
        bias = torch.zeros(L + n, L + n).masked_fill(~allow, torch.finfo(torch.float32).min)
        h = hf.model.language_model(
            inputs_embeds=torch.cat([x, m[None]], 1), position_ids=torch.cat([position, at[:, None]], -1),
            attention_mask={"full_attention": bias[None, None]}, use_cache=False).last_hidden_state[:, L:]
        other = tiny.classify(w, h)
        print("mask logits", float((tiny.classify(w, masks)[0, 0] - other[0]).abs().max()), "of",
              float(other.abs().max()))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--state", type=Path, default=Path("build/tiny"))
    p.add_argument("--out", type=Path, default=Path("examples/models/tiny"))
    p.add_argument("--last", action="store_true", help="the last weights, not their running average")
    p.add_argument("--earlier", type=Path, help="a snapshot of the same training to take the mean of both weights with")
    p.add_argument("--share", type=float, default=.5, help="of the later weights in that mean")
    p.add_argument("--check", action="store_true")
    a = p.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    state = torch.load(a.state / "state.pt")
    t = Tokenizer.from_file(str(a.state / "tokenizer.json"))
    which = "weights" if a.last else "ema"
    weights = state[which]
    if a.earlier:
        earlier = torch.load(a.earlier)[which]
        weights = {name: torch.lerp(earlier[name], later, a.share) for name, later in weights.items()}
    save_file(checkpoint(weights), a.out / "model.safetensors",
              {"format": "pt"})
    (a.out / "model.safetensors").chmod(0o644)
    t.save(str(a.out / "tokenizer.json"))
    for name, content in configs(t).items():
        (a.out / name).write_text(json.dumps(content, indent=2) + "\n")
    (a.out / "training").mkdir(exist_ok=True)
    if (a.state / "log.csv").exists():             # a resumed run repeats steps: the last word counts
        head, *rows = (a.state / "log.csv").read_text().splitlines()
        rows = {int(r.split(",")[0]): r for r in rows}
        (a.out / "training" / "log.csv").write_text(
            "\n".join([head, *(rows[k] for k in sorted(rows) if k <= state["step"])]) + "\n")
    print(f"step {state['step']}, {state['images']} images, {state['spent']:.0f} s")
    if a.check:
        check(a.out)


if __name__ == "__main__":
    main()
