# SPDX-License-Identifier: Apache-2.0
"""STAMP on Hugging Face's Qwen2-VL: a chat model that answers, and for each `<|seg|>` of its answer one mask.

Phase 1, `converse`: the ordinary language model over prompt and answer; its key/value cache is kept.
Phase 2, `mask_pass`: N `<|mask|>` tokens, one for each merged image patch, in ONE forward pass over the cache cut
behind `<|seg|>`. Token i enters as Embed(mask) + F_i (the image's merged feature), sees the whole history and all
mask tokens, and the classifier reads one logit from its last hidden state: foreground where it is above 0.
`uncached_mask_pass` says the same as one pass without a cache; `cross_check` holds the two together.
"""
import json
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from torch import nn
from transformers import DynamicCache, Qwen2VLForConditionalGeneration
from transformers.utils import logging

SPECIAL_TOKENS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>",
    "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
    "<|image_pad|>", "<|video_pad|>", "<|seg|>", "<|mask|>", "<|yes|>", "<|no|>",
)
SYSTEM = "You are a helpful assistant."


class Stamp(Qwen2VLForConditionalGeneration):
    """Qwen2-VL with one more layer, read by the mask tokens only."""

    def __init__(self, config):
        super().__init__(config)
        self.classifier = nn.Linear(config.text_config.hidden_size, 1, bias=True)
        self.post_init()


def load(folder, dtype=torch.float32):
    """Opens a checkpoint folder, or a PEFT adapter folder (merged into its base, whose path may be relative to it)."""
    folder = Path(folder)
    settings = folder / "adapter_config.json"
    if not settings.exists():
        return _open(folder, dtype)
    from peft import PeftModel

    base = json.loads(settings.read_text())["base_model_name_or_path"]
    beside = folder / base
    model = _open(beside if beside.exists() else base, dtype)
    rows = _embedding_rows(folder / "adapter_model.safetensors")
    if rows and rows != model.get_input_embeddings().num_embeddings:
        model.resize_token_embeddings(rows, mean_resizing=False)  # the adapter replaces all of them
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Model has `tie_word_embeddings=True`")  # wrong for flat configs
        return PeftModel.from_pretrained(model, folder).merge_and_unload().eval()


def _open(folder, dtype):
    # Weights in half precision are widened on opening: float32 holds float16 and bfloat16 exactly.
    logging.disable_progress_bar()
    wide = torch.float32 if dtype == torch.float64 else dtype
    model = Stamp.from_pretrained(folder, dtype=wide, attn_implementation="eager")
    return model.to(dtype).eval()


def _embedding_rows(path):
    with safe_open(path, "pt") as file:
        names = [name for name in file.keys() if name.endswith("embed_tokens.weight")]
        return file.get_slice(names[0]).get_shape()[0] if names else None


def prompt_ids(tokenizer, prompt, image_tokens=(), system=SYSTEM, allow_special=False):
    """Token ids of one user turn by Qwen2-VL's chat template; `image_tokens` has the number of pads of each image."""
    special = tokenizer.token_to_id
    ids = [special("<|im_start|>"), *text_ids(tokenizer, f"system\n{system}"), special("<|im_end|>")]
    ids += [*text_ids(tokenizer, "\n"), special("<|im_start|>")]
    if image_tokens:
        ids += text_ids(tokenizer, "user\n")
        for count in image_tokens:
            ids += [special("<|vision_start|>"), *[special("<|image_pad|>")] * count, special("<|vision_end|>")]
        ids += text_ids(tokenizer, prompt, allow_special)
    else:
        ids += text_ids(tokenizer, "user\n" + prompt, allow_special)
    ids += [special("<|im_end|>"), *text_ids(tokenizer, "\n"), special("<|im_start|>")]
    return ids + text_ids(tokenizer, "assistant\n")


def text_ids(tokenizer, text, special=False):
    """Ids of a text; the names of special tokens in it are plain text unless `special`."""
    tokenizer.encode_special_tokens = not special
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    tokenizer.encode_special_tokens = False
    return ids


@dataclass
class Dialogue:
    """What phase 1 leaves behind: all the mask passes start from it."""

    ids: torch.Tensor  # [L]
    positions: torch.Tensor  # [3, L]
    features: list  # F_p, the merged features of each image: [N, hidden]
    grid: torch.Tensor  # [images, 3], patches
    cache: DynamicCache
    hidden: torch.Tensor  # [L, hidden], after the final norm

    def merged_grid(self, merge):
        """Height and width of the last image in mask tokens."""
        return int(self.grid[-1, 1]) // merge, int(self.grid[-1, 2]) // merge


@torch.no_grad()
def converse(model, ids, pixels=None, grid=None):
    """Phase 1 over a prompt and its answer (teacher forcing): one causal pass over all L tokens."""
    embeddings = model.get_input_embeddings()(ids)
    features = list(model.get_image_features(pixels, grid)) if pixels is not None else []
    if features:
        embeddings[ids == model.config.image_token_id] = torch.cat(features)
    positions, _ = model.model.get_rope_index(ids[None], grid)
    cache = DynamicCache()
    hidden = model.model.language_model(
        inputs_embeds=embeddings[None], position_ids=positions, past_key_values=cache, use_cache=True
    ).last_hidden_state[0]
    return Dialogue(ids, positions[:, 0], features, grid, cache, hidden)


@torch.no_grad()
def generate(model, ids, pixels, grid, end, most):
    """The greedy answer's ids, `<|im_end|>` (the only token that ends it) included where it was reached."""
    images = {} if pixels is None else {"pixel_values": pixels, "image_grid_thw": grid}
    out = model.generate(
        input_ids=ids[None], attention_mask=torch.ones_like(ids[None]), **images, max_new_tokens=most,
        do_sample=False, temperature=None, top_p=None, top_k=None, eos_token_id=end, pad_token_id=end,
    )
    return out[0, len(ids):]


def mask_positions(dialogue, seg, merge, where):
    """[3, N] rotary positions. `text`: p(seg)+1+i on all axes, as released; `grid`: (0, row, column) + p(seg)+1."""
    height, width = dialogue.merged_grid(merge)
    start = dialogue.positions[0, seg] + 1
    if where == "text":
        return (torch.arange(height * width) + start).expand(3, -1)
    cells = torch.cartesian_prod(torch.arange(1), torch.arange(height), torch.arange(width))
    return cells.T + start


def mask_embeddings(model, dialogue, mask):
    """[N, hidden]: Embed(mask) + F_p of the last image."""
    return model.get_input_embeddings()(torch.tensor(mask)) + dialogue.features[-1]


@torch.no_grad()
def mask_pass(model, dialogue, seg, mask, where="text"):
    """Phase 2 for the `<|seg|>` at index `seg`: logits [h, w], and what went in (positions, embeddings)."""
    merge = model.config.vision_config.spatial_merge_size
    embeddings = mask_embeddings(model, dialogue, mask)
    positions = mask_positions(dialogue, seg, merge, where)
    history, count = seg + 1, len(embeddings)
    hidden = model.model.language_model(
        inputs_embeds=embeddings[None],
        position_ids=positions[:, None],
        past_key_values=_branch(dialogue.cache, history),
        cache_position=torch.arange(history, history + count),
        attention_mask={"full_attention": embeddings.new_zeros(1, 1, count, history + count)},
        use_cache=True,
    ).last_hidden_state[0]
    logits = model.classifier(hidden)
    return logits.view(dialogue.merged_grid(merge)), positions, embeddings


def _branch(cache, length):
    """A copy of the cache's first `length` tokens: the dialogue's own cache stays as it was."""
    branch = DynamicCache()
    for index, layer in enumerate(cache.layers):
        branch.update(layer.keys[:, :, :length], layer.values[:, :, :length], index)
    return branch


@torch.no_grad()
def uncached_mask_pass(model, dialogue, seg, mask, where="text"):
    """The same logits from one pass over [history | masks]: allowed(q, k) = (k <= q) or (q is a mask token)."""
    merge = model.config.vision_config.spatial_merge_size
    embeddings = model.get_input_embeddings()(dialogue.ids[: seg + 1])
    image = dialogue.ids[: seg + 1] == model.config.image_token_id
    embeddings[image] = torch.cat(dialogue.features)
    masks = mask_embeddings(model, dialogue, mask)
    total, history = seg + 1 + len(masks), seg + 1
    positions = torch.cat([dialogue.positions[:, :history], mask_positions(dialogue, seg, merge, where)], dim=1)
    allowed = torch.ones(total, total, dtype=torch.bool).tril()
    allowed[history:] = True
    bias = torch.where(allowed, embeddings.new_zeros(()), embeddings.new_full((), torch.finfo(embeddings.dtype).min))
    hidden = model.model.language_model(
        inputs_embeds=torch.cat([embeddings, masks])[None],
        position_ids=positions[:, None],
        attention_mask={"full_attention": bias[None, None]},
        use_cache=False,
    ).last_hidden_state[0]
    return model.classifier(hidden[history:]).view(dialogue.merged_grid(merge))


def cross_check(model, dialogue, pixels, seg, mask, where, relative):
    """Cached and uncached mask pass agree, and phase 1 agrees with the library's own forward pass."""
    cached, uncached = (run(model, dialogue, seg, mask, where) for run in (mask_pass, uncached_mask_pass))
    _close("mask pass, cached and uncached", cached[0], uncached, relative)
    with torch.no_grad():
        logits = model(input_ids=dialogue.ids[None], pixel_values=pixels, image_grid_thw=dialogue.grid).logits[0]
        _close("logits of phase 1", model.lm_head(dialogue.hidden), logits, relative)


def _close(what, found, expected, relative):
    worst = ((found - expected).abs().max() / expected.abs().max()).item()
    if not worst <= relative:
        raise AssertionError(f"{what}: relative difference {worst:.2e}, allowed {relative:.0e}")
