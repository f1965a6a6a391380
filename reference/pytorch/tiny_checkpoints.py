# SPDX-License-Identifier: Apache-2.0
"""Makes the tiny random checkpoints under tests/goldens/models: real in layout, a few hundred KB each.

    python tiny_checkpoints.py [--out tests/goldens/models]

Each differs from the others in what a loader can get wrong (see ARCHITECTURES), and no two sizes of one model are
equal, so that swapped axes show. Weights are drawn so that nothing fades: norms and biases are not trivial,
attention is peaked, masks have both signs. The same seed gives the same bytes.
"""
import argparse
import json
import warnings
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import Qwen2VLConfig

from stamp_model import SPECIAL_TOKENS, Stamp

ROOT = Path(__file__).resolve().parents[2]
SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
         r"|\s+(?!\S)|\s+")
CORPUS = """the red mug on the left. the green circle at the bottom. It is here. Sure, the blue square in the image.
system You are a helpful assistant. user Please segment the largest star in this image. assistant There are two of
them: the one on the right and the one behind it. Nothing matches. What is shown? Yes, no. Größe, été, 图像, снег."""

# vision: depth, width, heads, mlp ratio, patch, merge; text: hidden, heads, kv heads, ffn, layers, mrope sections
# pixels: fewest and most merged image tokens; bias: the classifier's, such that masks have both signs
ARCHITECTURES = {
    "tied": dict(  # nested configuration, float32, tied embedding
        seed=11, vocabulary=300, padding=3, layout="nested", names="old", stored=torch.float32, tied=True,
        vision=(2, 24, 2, 3, 14, 2), text=(32, 4, 2, 56, 3, (1, 1, 2)), eps=1e-6, theta=1e6, pixels=(2, 6), bias=1.9),
    "untied-gqa": dict(  # old flat configuration, float16, 3 query heads on 1 key head, padded vocabulary
        seed=22, vocabulary=310, padding=16, layout="flat", names="old", stored=torch.float16, tied=False,
        vision=(3, 32, 4, 2, 8, 2), text=(48, 3, 1, 88, 3, (2, 3, 3)), eps=1e-5, theta=1e4, pixels=(4, 16), bias=4.0),
    "sharded-bf16": dict(  # three shards, bfloat16, new key names, tie_word_embeddings inside text_config only
        seed=33, vocabulary=305, padding=0, layout="nested", names="new", stored=torch.bfloat16, tied=True,
        vision=(2, 36, 3, 4, 6, 2), text=(112, 7, 1, 64, 2, (2, 2, 4)), eps=2e-6, theta=5e5, pixels=(3, 9), bias=-0.7),
    "tiny16": dict(  # as the shipped model: patch 16, no merging; heads of 32
        seed=44, vocabulary=296, padding=6, layout="nested", names="old", stored=torch.float16, tied=True,
        vision=(2, 24, 3, 2, 16, 1), text=(64, 2, 1, 40, 2, (4, 6, 6)), eps=1e-6, theta=1e6, pixels=(6, 15), bias=-2.8),
}
LORA = dict(seed=55, base="untied-gqa", rank=4, alpha=6, bias=0.2)


def tokenizer(vocabulary):
    """A byte-level BPE as Qwen2's, `vocabulary` tokens and the special ones behind them."""
    out = Tokenizer(models.BPE())
    out.normalizer = normalizers.NFC()
    out.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)])
    out.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False)
    out.train_from_iterator([CORPUS], trainer)
    assert out.get_vocab_size() == vocabulary
    out.add_special_tokens(list(SPECIAL_TOKENS))
    return out


def configuration(of, tokens, rows):
    """config.json, in the old flat form or the new nested one."""
    depth, width, heads, ratio, patch, merge = of["vision"]
    hidden, queries, keys, ffn, layers, sections = of["text"]
    vision = {
        "depth": depth, "embed_dim": width, "num_heads": heads, "mlp_ratio": ratio, "hidden_size": hidden,
        "hidden_act": "quick_gelu", "in_channels": 3, "in_chans": 3, "patch_size": patch,
        "spatial_merge_size": merge, "spatial_patch_size": patch, "temporal_patch_size": 2, "model_type": "qwen2_vl",
    }
    text = {
        "vocab_size": rows, "hidden_size": hidden, "num_attention_heads": queries, "num_key_value_heads": keys,
        "intermediate_size": ffn, "num_hidden_layers": layers, "hidden_act": "silu", "rms_norm_eps": of["eps"],
        "rope_theta": of["theta"], "max_position_embeddings": 4096, "use_sliding_window": False,
        "sliding_window": 4096, "max_window_layers": layers, "attention_dropout": 0.0, "use_cache": True,
        "initializer_range": 0.02, "bos_token_id": tokens["endoftext"], "eos_token_id": tokens["im_end"],
        "tie_word_embeddings": of["tied"],
    }
    name = str(of["stored"]).removeprefix("torch.")
    top = {"architectures": ["SegQwenVL"], "model_type": "qwen2_vl"}
    top |= {f"{key}_token_id": tokens[key] for key in ("vision_start", "vision_end")}
    top |= {"image_token_id": tokens["image_pad"], "video_token_id": tokens["video_pad"]}
    if of["layout"] == "flat":
        text["rope_scaling"] = {"type": "mrope", "mrope_section": list(sections)}
        return top | text | {"torch_dtype": name, "transformers_version": "4.45.2", "vision_config": vision}
    text["rope_scaling"] = {"type": "default", "rope_type": "default", "mrope_section": list(sections)}
    text |= {"model_type": "qwen2_vl_text", "dtype": name, "layer_types": ["full_attention"] * layers}
    return top | {"dtype": name, "transformers_version": "4.57.1", "text_config": text, "vision_config": vision}


def draw(name, shape, random, bias):
    """Random values of one tensor: matrices keep their input's scale, queries and keys are sharper than that."""
    values = torch.randn(shape, generator=random)
    if name.endswith("classifier.bias"):
        return torch.tensor([bias])
    if name.endswith("classifier.weight"):
        return values * 3 / shape[-1] ** 0.5
    if name.endswith("embed_tokens.weight"):
        return values * 0.8
    if name.endswith("lm_head.weight"):
        return values * 2 / shape[-1] ** 0.5
    if len(shape) == 1:
        norm = name.endswith("weight")
        return 1 + 0.25 * values if norm else 0.2 * values
    gain = 1.8 if "q_proj" in name or "k_proj" in name else 1.3 if "qkv" in name else 0.8
    gain = 2.0 if "merger.mlp.2" in name else gain
    return values * gain / values[0].numel() ** 0.5


def old_name(name):
    """The key that transformers writes: `visual.*`, `model.layers.*`."""
    return name.replace("model.visual.", "visual.").replace("model.language_model.", "model.")


def shards(folder, tensors, count):
    """Writes model.safetensors, or `count` shards of about equal size with their index."""
    if count == 1:
        save_file(tensors, str(folder / "model.safetensors"), {"format": "pt"})
        return
    total = sum(tensor.nbytes for tensor in tensors.values())
    parts, filled = [{} for _ in range(count)], 0
    for name, tensor in tensors.items():
        parts[min(filled * count // total, count - 1)][name] = tensor
        filled += tensor.nbytes
    names = [f"model-{i + 1:05}-of-{count:05}.safetensors" for i in range(count)]
    for file, part in zip(names, parts):
        save_file(part, str(folder / file), {"format": "pt"})
    index = {"metadata": {"total_size": total}, "weight_map": {k: f for f, part in zip(names, parts) for k in part}}
    write_json(folder / "model.safetensors.index.json", index)


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_text_side(folder, of):
    """Everything about tokens and images; returns the tokenizer and the special ids by short name."""
    folder.mkdir(parents=True, exist_ok=True)
    bpe = tokenizer(of["vocabulary"])
    bpe.save(str(folder / "tokenizer.json"))
    tokens = {name.strip("<|>"): bpe.token_to_id(name) for name in SPECIAL_TOKENS}
    write_json(folder / "tokenizer_config.json", {
        "tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>",
        "add_bos_token": False, "add_prefix_space": False, "model_max_length": 4096})
    write_json(folder / "generation_config.json", {
        "do_sample": True, "temperature": 0.01, "top_k": 1, "top_p": 0.001, "repetition_penalty": 1.0,
        "bos_token_id": tokens["endoftext"], "pad_token_id": tokens["endoftext"], "eos_token_id": tokens["im_end"]})
    patch, merge = of["vision"][4:]
    least, most = (count * (patch * merge) ** 2 for count in of["pixels"])
    write_json(folder / "preprocessor_config.json", {
        "image_processor_type": "Qwen2VLImageProcessor", "min_pixels": least, "max_pixels": most,
        "patch_size": patch, "temporal_patch_size": 2, "merge_size": merge,
        "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]})
    return bpe, tokens


def checkpoint(folder, of):
    """One full checkpoint."""
    bpe, tokens = write_text_side(folder, of)
    settings = configuration(of, tokens, bpe.get_vocab_size() + of["padding"])
    model = Stamp(Qwen2VLConfig(**json.loads(json.dumps(settings))))
    random = torch.Generator().manual_seed(of["seed"])
    tensors = {}
    for name, parameter in sorted(model.named_parameters()):
        if name == "lm_head.weight" and of["tied"]:
            continue
        key = old_name(name) if of["names"] == "old" else name
        tensors[key] = draw(name, parameter.shape, random, of["bias"]).to(of["stored"])
    write_json(folder / "config.json", settings)
    shards(folder, tensors, 3 if folder.name.startswith("sharded") else 1)


def adapter(folder, of, base):
    """A PEFT rsLoRA adapter over `base`, embedding and heads replaced as a whole by matrices of fewer rows."""
    from peft import LoraConfig, get_peft_model

    bpe, tokens = write_text_side(folder, base)
    settings = json.loads((folder.parent / of["base"] / "config.json").read_text())
    model = Stamp(Qwen2VLConfig(**settings))
    model.resize_token_embeddings(bpe.get_vocab_size(), mean_resizing=False)
    model = get_peft_model(model, LoraConfig(
        r=of["rank"], lora_alpha=of["alpha"], lora_dropout=0.05, use_rslora=True, bias="none", task_type="CAUSAL_LM",
        target_modules=["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"],
        modules_to_save=["embed_tokens", "lm_head", "classifier"]))
    random = torch.Generator().manual_seed(of["seed"])
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            if "lora_" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=random) * 0.5 / parameter.shape[1] ** 0.5)
            elif "modules_to_save" in name:
                whole = name.replace(".modules_to_save.default", "")
                parameter.copy_(draw(whole, parameter.shape, random, of["bias"]))
                if "lm_head" in name:  # greedy answers shall hold masks, and end
                    parameter[[tokens["seg"], tokens["im_end"]]] *= 1.8
    model.save_pretrained(folder)
    path = folder / "adapter_config.json"
    saved = json.loads(path.read_text())
    saved["base_model_name_or_path"] = f"../{of['base']}"
    for name in ("target_modules", "modules_to_save"):
        saved[name] = sorted(saved[name])
    write_json(path, saved)
    (folder / "README.md").unlink(missing_ok=True)


def main(out):
    torch.set_num_threads(1)
    for name, of in ARCHITECTURES.items():
        checkpoint(out / name, of)
    warnings.filterwarnings("ignore", module="peft")  # it takes the flat configuration for a tied one
    adapter(out / "lora", LORA, ARCHITECTURES[LORA["base"]])


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--out", type=Path, default=ROOT / "tests/goldens/models")
    main(arguments.parse_args().out)
