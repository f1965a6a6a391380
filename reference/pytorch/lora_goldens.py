# SPDX-License-Identifier: Apache-2.0
"""Writes tests/goldens/lora/: checkpoints saved by transformers, adapters saved by PEFT, and what
PEFT's merge_and_unload makes of them, for tests/unit/lora_test.cpp and checkpoint_test.cpp.

  base/          a tiny random Qwen2-VL, bfloat16, sharded, embeddings not tied, with a classifier
  adapter/       rank-stabilised LoRA on it, vocabulary cut, embedding, head and classifier replaced
  plain/         plain LoRA (alpha/r) on the vision tower and the patch convolution, other ranks by
                 pattern; its base is named relative to the adapter's folder, as ../base
  merged.safetensors  "adapter/NAME", "plain/NAME": every tensor that differs from the base

Usage: .venv/bin/python reference/pytorch/lora_goldens.py [FOLDER]
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

VOCABULARY, CUT = 40, 36


class SegQwenVL(Qwen2VLForConditionalGeneration):
    """Qwen2-VL with STAMP's one extra module."""

    def __init__(self, config):
        super().__init__(config)
        self.classifier = torch.nn.Linear(config.text_config.hidden_size, 1)


def tiny_config() -> Qwen2VLConfig:
    text = dict(
        hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, vocab_size=VOCABULARY, tie_word_embeddings=False, rms_norm_eps=1e-6,
        rope_scaling={"type": "mrope", "mrope_section": [2, 1, 1]}, max_position_embeddings=256)
    vision = dict(depth=1, embed_dim=8, num_heads=2, mlp_ratio=2, hidden_size=16, patch_size=4)
    return Qwen2VLConfig(
        text_config=text, vision_config=vision, image_token_id=30, video_token_id=31,
        vision_start_token_id=28, vision_end_token_id=29)


def randomise(module: torch.nn.Module, generator: torch.Generator) -> None:
    """Fills the trained parts of an adapter: PEFT starts B at zero, which would prove nothing."""
    with torch.no_grad():
        for name, parameter in sorted(module.named_parameters()):
            if "lora_" in name or "modules_to_save" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)


def canonical(name: str) -> str:
    for new, old in (("model.visual.", "visual."), ("model.language_model.", "model.")):
        if name.startswith(new):
            return old + name[len(new):]
    return name


def make_adapter(folder: Path, base: Path, config: LoraConfig, vocabulary: int, seed: int) -> dict:
    """Trains nothing, saves the adapter, loads it again as users do, and returns what changed."""
    def load_base():
        model = SegQwenVL.from_pretrained(base, dtype=torch.bfloat16)
        if vocabulary != VOCABULARY:
            model.resize_token_embeddings(vocabulary)
        return model

    model = get_peft_model(load_base(), config)
    randomise(model, torch.Generator().manual_seed(seed))
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    saved = json.loads(path.read_text())
    saved["base_model_name_or_path"] = "../base"
    path.write_text(json.dumps(saved, indent=2, sort_keys=True) + "\n")

    merged = PeftModel.from_pretrained(load_base(), folder).merge_and_unload().state_dict()
    original = {canonical(k): v for k, v in
                SegQwenVL.from_pretrained(base, dtype=torch.bfloat16).state_dict().items()}
    changed = {canonical(k): v for k, v in merged.items()}
    return {k: v.clone() for k, v in changed.items()
            if v.shape != original[k].shape or not torch.equal(v, original[k])}


def main() -> None:
    default = Path(__file__).resolve().parents[2] / "tests/goldens/lora"
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    torch.manual_seed(20)
    base = folder / "base"
    SegQwenVL(tiny_config()).to(torch.bfloat16).save_pretrained(base, max_shard_size="12KB")

    adapter = make_adapter(
        folder / "adapter", base,
        LoraConfig(r=4, lora_alpha=8, use_rslora=True,
                   target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj",
                                   "down_proj"],
                   modules_to_save=["embed_tokens", "lm_head", "classifier"]),
        vocabulary=CUT, seed=1)
    plain = make_adapter(
        folder / "plain", base,
        LoraConfig(r=2, lora_alpha=6, target_modules=r".*visual.*(qkv|fc1|patch_embed\.proj)",
                   rank_pattern={"fc1": 3}, alpha_pattern={"attn.qkv": 5}),
        vocabulary=VOCABULARY, seed=2)
    save_file({f"adapter/{k}": v for k, v in adapter.items()} |
              {f"plain/{k}": v for k, v in plain.items()}, folder / "merged.safetensors")
    keys = sorted(load_file(folder / "adapter/adapter_model.safetensors"))
    print(f"{len(adapter)} + {len(plain)} merged tensors; adapter keys as", *keys[:3], sep="\n  ")
    print(sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()), "bytes in all")


if __name__ == "__main__":
    main()
