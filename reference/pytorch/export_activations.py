# SPDX-License-Identifier: Apache-2.0
"""Writes the named activations of one STAMP run in PyTorch, for the layer-by-layer comparison with C++.

    python export_activations.py --model DIR --out FILE.safetensors --image photo.png --prompt "the mug" \\
        --response "It is <|seg|>."
    stamp parity --model DIR --activations FILE.safetensors

What the file holds (names and shapes are the project's contract; every tensor without a batch dimension):
  * `input_ids` [L]: the prompt with its image pads expanded, then the answer including its `<|im_end|>`.
    `position_ids`, `language.embeddings`, `language.layers.{i}` and `language.norm` cover all L tokens;
    `language.logits` is the row of the last PROMPT token, index `prompt_length - 1`.
  * `mask.{k}.*` for the k-th `<|seg|>` of `input_ids` (a control token typed in the prompt counts, too).
  * Float tensors are float32, float64 with `--dtype float64`; `pixel_values` is float32 always, for it is the input
    and exact as such. A bfloat16 run is widened on writing.
  * Metadata, strings: model, prompt, response, system, prompt_length, mask_positions, dtype, resize, images (JSON
    list of file, width, height), tokens (JSON: ids of the tokens that matter), attention, torch, transformers.
A replay needs no image: `input_ids`, `pixel_values`, `image_grid_thw` and the metadata `prompt_length` and
`mask_positions` say everything. With several images the mask tokens stand for the last one.
Attention is the library's eager code. One pass is run to warm up: torch's first can be off by 1e-4.
"""
import argparse
import json
import os
import struct
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import torch
import transformers
from PIL import Image
from tokenizers import Tokenizer
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor, smart_resize

import stamp_model
from double_precision import DoublePrecision, in_double

DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16}
STORED = {torch.float32: "F32", torch.float64: "F64", torch.int64: "I64"}


def seed_image(width, height, seed=0):
    """A picture from integers alone, the same in every language: two ramps, a disc, a bar, and a little noise."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    ramp = np.stack([x * 255 // max(width - 1, 1), y * 255 // max(height - 1, 1), (x + 2 * y + 40 * seed) % 256], -1)
    disc = (5 * x - 2 * width) ** 2 + (5 * y - 3 * height) ** 2 < (width + height) ** 2 // 2
    ramp[disc] = (230, 30 + 50 * (seed % 4), 60)
    ramp[:, width * 3 // 4 : width * 7 // 8] = (20, 90, 200 - 30 * (seed % 5))
    noise = ((x * 73856093) ^ (y * 19349663) ^ ((seed + 1) * 83492791)) % 13 - 6
    return Image.fromarray(np.clip(ramp + noise[..., None], 0, 255).astype(np.uint8))


def image_patches(folder, image, resize):
    """`pixel_values` [patches, C*T*P*P] and the grid [t, h, w] of one image.

    pillow: transformers' slow processor (Pillow's bicubic). torch-u8: its fast processor on a CPU, torch's bicubic
    with antialias on uint8. torch-f32: the fast processor on a GPU, the same in float32, then clamped and rounded.
    """
    settings = json.loads((Path(folder) / "preprocessor_config.json").read_text())
    processor = Qwen2VLImageProcessor(**{k: v for k, v in settings.items() if k != "image_processor_type"})
    image = image.convert("RGB")
    if resize == "pillow":
        out = processor(images=[image], return_tensors="pt")
        return out["pixel_values"].float(), out["image_grid_thw"][0]
    patch, merge = processor.patch_size, processor.merge_size
    size = smart_resize(image.height, image.width, patch * merge, processor.min_pixels, processor.max_pixels)
    pixels = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)[None]
    pixels = pixels if resize == "torch-u8" else pixels.float()
    pixels = torch.nn.functional.interpolate(pixels, size, mode="bicubic", antialias=True).clamp(0, 255).round()
    mean, std = (torch.tensor(x)[:, None, None] * 255.0 for x in (processor.image_mean, processor.image_std))
    pixels = ((pixels[0].float() - mean) / std).expand(processor.temporal_patch_size, -1, -1, -1)
    h, w = size[0] // patch, size[1] // patch
    patches = pixels.reshape(-1, 3, h // merge, merge, patch, w // merge, merge, patch)
    return patches.permute(2, 5, 3, 6, 1, 0, 4, 7).reshape(h * w, -1), torch.tensor([1, h, w])


@contextmanager
def recording(model, into):
    """Fills `into` with the outputs of the boxes under their contract names; `into.prefix` names the pass."""
    vision, language = model.model.visual, model.model.language_model

    def keep(module, name):
        def hook(module, inputs, output):
            output = output[0] if isinstance(output, tuple) else output
            output = output[0] if name.startswith("{}") else output  # the language model has a batch dimension
            into[name.format(into.prefix)] = output.clone()
        return module.register_forward_hook(hook)

    hooks = [keep(vision.patch_embed, "vision.patch_embed"), keep(vision.merger, "vision.merger")]
    hooks += [keep(block, f"vision.blocks.{i}") for i, block in enumerate(vision.blocks)]
    hooks += [keep(layer, f"{{}}.layers.{i}") for i, layer in enumerate(language.layers)]
    hooks += [keep(language.norm, "{}.norm")]
    hooks += [language.register_forward_pre_hook(
        lambda module, args, options: into.update({f"{into.prefix}.embeddings": options["inputs_embeds"][0].clone()}),
        with_kwargs=True)]
    try:
        yield into
    finally:
        for hook in hooks:
            hook.remove()


class Activations(dict):
    prefix = "language"


def activations(model, ids, prompt_length, pixels, grid, seg, mask, where):
    """Runs both phases and returns every named tensor of the contract."""
    with recording(model, Activations()) as named:
        dialogue = stamp_model.converse(model, ids, pixels, grid)
        named["input_ids"], named["position_ids"] = ids, dialogue.positions
        named["language.logits"] = model.lm_head(dialogue.hidden[prompt_length - 1]).detach()
        if pixels is not None:
            named["pixel_values"], named["image_grid_thw"] = pixels, grid
            for k, at in enumerate((ids == seg).nonzero()[:, 0].tolist()):
                named.prefix = f"mask.{k}"
                logits, positions, _ = stamp_model.mask_pass(model, dialogue, at, mask, where)
                named[f"mask.{k}.position_ids"], named[f"mask.{k}.logits"] = positions, logits
    return dict(named), dialogue


def export(options, ids=None):
    """Runs the case that the options describe; returns its tensors and metadata.

    `ids`: the words of an earlier run of the case, in place of the response, to be told again.
    """
    torch.manual_seed(0)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    dtype = DTYPES[options.dtype]
    folder = Path(options.model)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    model = stamp_model.load(folder, dtype)
    if dtype == torch.float64:
        model = in_double(model)
    images = [(Path(path).name, Image.open(path)) for path in options.image]
    if options.seed_image:
        width, height, *seed = (int(n) for n in options.seed_image.replace(":", "x").split("x"))
        images.append((f"seed-image {options.seed_image}", seed_image(width, height, *seed)))
    pixels = grid = None
    counts = []
    if images:
        parts = [image_patches(folder, image, options.resize) for _, image in images]
        pixels, grid = torch.cat([p for p, _ in parts]), torch.stack([g for _, g in parts])
        counts = (grid.prod(-1) // model.config.vision_config.spatial_merge_size**2).tolist()
    prompt = stamp_model.prompt_ids(tokenizer, options.prompt, counts, options.system, options.allow_special)
    token = {name: tokenizer.token_to_id(f"<|{name}|>") for name in ("seg", "mask", "im_end", "image_pad")}
    typed = None if pixels is None else pixels.to(dtype)

    with DoublePrecision() if dtype == torch.float64 else nullcontext():
        if ids is not None:
            answer = ids[len(prompt):].tolist()
        elif options.response is None:
            start = torch.tensor(prompt)
            answer = stamp_model.generate(model, start, typed, grid, token["im_end"], options.max_new_tokens).tolist()
        else:
            answer = stamp_model.text_ids(tokenizer, options.response, special=True)
            answer += [] if options.no_end else [token["im_end"]]
        ids = torch.tensor(prompt + answer)
        run = (model, ids, len(prompt), typed, grid, token["seg"], token["mask"], options.mask_positions)
        activations(*run)  # warms up
        tensors, dialogue = activations(*run)
        if options.cross_check and pixels is not None:
            relative = 1e-6 if dtype == torch.float64 else 1e-4
            for at in (ids == token["seg"]).nonzero()[:, 0].tolist():
                stamp_model.cross_check(
                    model, dialogue, typed, at, token["mask"], options.mask_positions, relative)

    metadata = {
        "format": "stamp-activations-1", "model": folder.resolve().name, "prompt": options.prompt,
        "response": tokenizer.decode(answer, skip_special_tokens=False) if options.response is None
        else options.response,
        "generated": json.dumps(options.response is None), "system": options.system,
        "allow_special": json.dumps(options.allow_special), "prompt_length": str(len(prompt)),
        "mask_positions": options.mask_positions, "dtype": options.dtype, "resize": options.resize,
        "images": json.dumps([{"file": n, "width": i.width, "height": i.height} for n, i in images]),
        "tokens": json.dumps(token), "attention": "eager", "seed": "0",
        "torch": torch.__version__, "transformers": transformers.__version__,
    }
    if pixels is not None:
        tensors["pixel_values"] = pixels
    return tensors, metadata


def write(path, tensors, metadata):
    """Writes safetensors with sorted keys (equal runs give equal bytes), beside its place, then renames it."""
    header, data = {"__metadata__": dict(sorted(metadata.items()))}, b""
    for name, tensor in sorted(tensors.items()):
        tensor = tensor.detach().float() if tensor.dtype == torch.bfloat16 else tensor.detach()
        raw = tensor.contiguous().numpy().tobytes()
        header[name] = {"dtype": STORED[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".part")
    beside.write_bytes(struct.pack("<Q", len(text)) + text + data)
    os.replace(beside, path)


def parser():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--model", required=True, help="checkpoint folder, or a PEFT adapter folder")
    arguments.add_argument("--out", required=True)
    arguments.add_argument("--image", action="append", default=[], help="may be given several times")
    arguments.add_argument("--seed-image", help="WxH or WxH:SEED, a drawn image instead of a file")
    arguments.add_argument("--prompt", default="the red thing")
    arguments.add_argument("--response", help="the answer, special tokens in it are control tokens; default: generate")
    arguments.add_argument("--no-end", action="store_true", help="do not close the response with <|im_end|>")
    arguments.add_argument("--system", default=stamp_model.SYSTEM)
    arguments.add_argument("--allow-special", action="store_true", help="special tokens of the prompt act as control")
    arguments.add_argument("--max-new-tokens", type=int, default=64)
    arguments.add_argument("--mask-positions", choices=["text", "grid"], default="text")
    arguments.add_argument("--dtype", choices=DTYPES, default="float32")
    arguments.add_argument("--resize", choices=["pillow", "torch-u8", "torch-f32"], default="pillow")
    arguments.add_argument("--cross-check", action="store_true", help="compare with the uncached single pass, too")
    return arguments


if __name__ == "__main__":
    chosen = parser().parse_args()
    write(chosen.out, *export(chosen))
