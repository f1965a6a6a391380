# SPDX-License-Identifier: Apache-2.0
"""Times the phases of one STAMP answer in PyTorch: asks what benchmarks/phases.cpp asks, by the same protocol.

    python time_phases.py --model DIR [--pixels 504] [--decode 20] [--threads 2]

Prints a JSON line that describes it, then answers every line `run` with one: seconds of `vision`, `prefill`, `decode`
(all tokens) and `mask`, and what came out (`chosen` tokens, mask `logits`) for the two sides to be held together.
"""
import argparse
import json
import sys
import time
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer
from transformers import DynamicCache

from stamp_model import Stamp

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
WORD = 100  # any token that is not special: what the words are costs nothing


def open_model(folder, dtype, attention):
    transformers.utils.logging.disable_progress_bar()
    model = Stamp.from_pretrained(folder, dtype=dtype, attn_implementation=attention).eval()
    for weight in model.parameters():  # from the file's memory map to aligned memory, one at a time: never two copies
        weight.data = weight.data.clone()
    return model


def question(model, tokenizer, pixels):
    """One square image as random patches, its grid, and a prompt with 40 tokens of text around it."""
    config = model.config
    vision = config.vision_config
    side = pixels // vision.patch_size
    grid = torch.tensor([[1, side, side]])
    length = vision.in_channels * vision.temporal_patch_size * vision.patch_size**2
    # the high bits of a multiplicative hash in [-1, 1): the same numbers in every language
    patches = (torch.arange(side * side * length) * 2654435761 % 2**32 // 256).float() / 2**23 - 1
    cells = side * side // vision.spatial_merge_size**2
    start, end = (tokenizer.token_to_id(f"<|vision_{name}|>") for name in ("start", "end"))
    ids = [WORD] * 19 + [start] + [config.image_token_id] * cells + [end] + [WORD] * 19
    return patches.view(side * side, length), grid, torch.tensor(ids)


def run(model, patches, grid, ids, words, mask):
    """One answer of `words` tokens, forced, and its mask. A greedy choice is made for each, as generation would."""
    language, embed = model.model.language_model, model.get_input_embeddings()
    clock = [time.perf_counter()]

    features = torch.cat(model.get_image_features(patches, grid))
    clock.append(time.perf_counter())

    embeddings = embed(ids)
    embeddings[ids == model.config.image_token_id] = features
    positions, _ = model.model.get_rope_index(ids[None], grid)
    cache = DynamicCache(config=model.config.text_config)
    scores = head(model, language(
        inputs_embeds=embeddings[None], position_ids=positions, past_key_values=cache, use_cache=True))
    clock.append(time.perf_counter())

    position, chosen = int(positions.max()) + 1, []
    for word in words:
        chosen.append(int(scores.argmax()))
        scores = head(model, language(
            inputs_embeds=embed(torch.tensor([[word]])), position_ids=torch.full((3, 1, 1), position),
            past_key_values=cache, use_cache=True))
        position += 1
    clock.append(time.perf_counter())

    # phase 2 of stamp_model.mask_pass with text positions; nothing was said after <|seg|>, so the cache needs no branch
    history, count = cache.get_seq_length(), len(features)
    hidden = language(
        inputs_embeds=(embed(torch.tensor(mask)) + features)[None],
        position_ids=(torch.arange(count) + position).expand(3, 1, -1),
        past_key_values=cache,
        cache_position=torch.arange(history, history + count),
        attention_mask={"full_attention": features.new_zeros(1, 1, count, history + count)},
        use_cache=True,
    ).last_hidden_state[0]
    logits = model.classifier(hidden)[:, 0].float().tolist()
    clock.append(time.perf_counter())

    seconds = [after - before for before, after in zip(clock, clock[1:])]
    return dict(zip(("vision", "prefill", "decode", "mask"), seconds)) | {"chosen": chosen, "logits": logits}


def head(model, out):
    return model.lm_head(out.last_hidden_state[:, -1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--pixels", type=int, default=504)
    parser.add_argument("--decode", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", choices=DTYPES, default="bf16")
    parser.add_argument("--attention", choices=("sdpa", "eager"), default="sdpa")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    dtype = DTYPES[chosen.dtype]
    with torch.inference_mode():
        model = open_model(chosen.model, dtype, chosen.attention)
        tokenizer = Tokenizer.from_file(str(chosen.model / "tokenizer.json"))
        asked = question(model, tokenizer, chosen.pixels)
        words = [WORD] * (chosen.decode - 1) + [tokenizer.token_to_id("<|seg|>")]
        print(json.dumps({
            "name": "PyTorch", "dtype": chosen.dtype, "weight_bytes": dtype.itemsize, "cache_bytes": dtype.itemsize,
            "prompt": len(asked[2]), "threads": torch.get_num_threads(), "attention": chosen.attention,
            "torch": torch.__version__, "transformers": transformers.__version__}), flush=True)
        for line in sys.stdin:
            if line.strip() != "run":
                break
            print(json.dumps(run(model, *asked, words, tokenizer.token_to_id("<|mask|>"))), flush=True)


if __name__ == "__main__":
    main()
