# SPDX-License-Identifier: Apache-2.0
"""A tiny SAM of random weights and its named activations, for the layer-by-layer comparison with C++.

    python sam_goldens.py                      # checkpoint, cases and activations into tests/goldens/sam
    python sam_goldens.py --keep DIR           # runs again, writes to DIR, compares with the committed files
    python sam_goldens.py --check              # sam_model.py against transformers, and against segment_anything

Tensors of a file: `sam.*` in the order of docs/command.md, and the prompt: `prompt.points` [n, 2] and `prompt.box` [4]
in pixels of the picture, `prompt.labels` [n], `prompt.mask` [4·grid, 4·grid], `prompt.coarse` [height, width]. Metadata:
image, masks (single, several), passes (0: one prediction, else a cascade), quirks (released, clean).
"""
import argparse
import fnmatch
import json
import math
import sys
import types
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

import sam_model
from bf16_distances import distance
from double_precision import Widen
from export_activations import write
from export_sam_activations import answer, metadata

GOLDENS = Path(__file__).resolve().parents[2] / "tests/goldens"
FOLDER = GOLDENS / "sam"
# No two sizes are equal; 10 positions a side do not divide into windows of 4; one block sees everything.
CONFIG = {
    "architectures": ["SamModel"], "model_type": "sam",
    "vision_config": dict(
        hidden_size=28, output_channels=24, num_hidden_layers=3, num_attention_heads=2, mlp_dim=44, image_size=80,
        patch_size=8, window_size=4, global_attn_indexes=[1], layer_norm_eps=1e-6, num_pos_feats=12),
    "prompt_encoder_config": dict(hidden_size=24, image_size=80, patch_size=8, mask_input_channels=16),
    "mask_decoder_config": dict(
        hidden_size=24, mlp_dim=20, num_hidden_layers=2, num_attention_heads=2, attention_downsample_rate=2,
        num_multimask_outputs=3, iou_head_depth=3, iou_head_hidden_dim=12),
}
POINTS = [[10.0, 20.0], [31.25, 40.5], [3.0, 57.0]]
LABELS = [1, 1, 0]
# image, prompt, several masks?, passes, quirks; which names are kept (the image encoder's in one case an image)
CASES = {
    "points": ("tall.png", dict(points=POINTS, labels=LABELS), False, 0, True),
    "mask": ("wide.png", dict(mask=5), False, 0, True),
    "box": ("square.png", dict(box=[4.0, 6.0, 28.5, 30.0]), True, 0, True),
    "both": ("tall.png", dict(points=POINTS, labels=LABELS, box=[8.0, 5.0, 50.0, 80.0], mask=6), True, 0, True),
    "cascade": ("wide.png", dict(points=POINTS, labels=LABELS, coarse=7), False, 3, True),
    "cascade-clean": ("tall.png", dict(points=POINTS, labels=LABELS, coarse=8), False, 2, False),
}
DOUBLE = ("both", "cascade")
# Kept in float64; and of the later passes of a cascade.
IN_DOUBLE = ("prompt.*", "sam.image_encoder.blocks.*", "sam.image_embeddings", "sam.prior", "*.low_res_logits", "*.iou",
             "*.norm_final_attn")
LATER = ("*.low_res_logits", "*.iou", "*.masks", "*.norm_final_attn", "*.sparse")
ENCODED = ("both", "cascade", "box")  # the cases that keep the image encoder's activations
TOLERANCES = {torch.float32: (1e-5, 1e-5), torch.float64: (1e-10, 1e-11)}


def shapes(config):
    """Every tensor of a SAM checkpoint by its released name."""
    vision, decoder = config["vision_config"], config["mask_decoder_config"]
    width, out, grid = vision["hidden_size"], vision["output_channels"], vision["image_size"] // vision["patch_size"]
    dim = width // vision["num_attention_heads"]
    names = {"image_encoder.pos_embed": (1, grid, grid, width)}

    def layer(name, *shape, bias=True):
        names[name + ".weight"] = shape
        if bias:
            names[name + ".bias"] = (shape[1] if name.startswith("mask_decoder.output_upscaling") and len(shape) == 4
                                     else shape[0],)

    layer("image_encoder.patch_embed.proj", width, 3, vision["patch_size"], vision["patch_size"])
    for i in range(vision["num_hidden_layers"]):
        block = f"image_encoder.blocks.{i}."
        side = grid if i in vision["global_attn_indexes"] else vision["window_size"]
        layer(block + "norm1", width)
        layer(block + "norm2", width)
        layer(block + "attn.qkv", 3 * width, width)
        layer(block + "attn.proj", width, width)
        names[block + "attn.rel_pos_h"] = names[block + "attn.rel_pos_w"] = (2 * side - 1, dim)
        layer(block + "mlp.lin1", vision["mlp_dim"], width)
        layer(block + "mlp.lin2", width, vision["mlp_dim"])
    layer("image_encoder.neck.0", out, width, 1, 1, bias=False)
    layer("image_encoder.neck.1", out)
    layer("image_encoder.neck.2", out, out, 3, 3, bias=False)
    layer("image_encoder.neck.3", out)

    width, inner = decoder["hidden_size"], config["prompt_encoder_config"]["mask_input_channels"]
    names["prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"] = (2, width // 2)
    for name in ("point_embeddings.0", "point_embeddings.1", "point_embeddings.2", "point_embeddings.3",
                 "not_a_point_embed", "no_mask_embed"):
        layer("prompt_encoder." + name, 1, width, bias=False)
    layer("prompt_encoder.mask_downscaling.0", inner // 4, 1, 2, 2)
    layer("prompt_encoder.mask_downscaling.1", inner // 4)
    layer("prompt_encoder.mask_downscaling.3", inner, inner // 4, 2, 2)
    layer("prompt_encoder.mask_downscaling.4", inner)
    layer("prompt_encoder.mask_downscaling.6", width, inner, 1, 1)

    masks, name = decoder["num_multimask_outputs"] + 1, "mask_decoder."
    layer(name + "iou_token", 1, width, bias=False)
    layer(name + "mask_tokens", masks, width, bias=False)
    narrow = width // decoder["attention_downsample_rate"]
    attentions = {name + "transformer.final_attn_token_to_image": narrow}
    for i in range(decoder["num_hidden_layers"]):
        block = f"{name}transformer.layers.{i}."
        attentions |= {block + "self_attn": width, block + "cross_attn_token_to_image": narrow,
                       block + "cross_attn_image_to_token": narrow}
        for number in range(1, 5):
            layer(f"{block}norm{number}", width)
        layer(block + "mlp.lin1", decoder["mlp_dim"], width)
        layer(block + "mlp.lin2", width, decoder["mlp_dim"])
    for attention, inside in attentions.items():
        for part in "qkv":
            layer(f"{attention}.{part}_proj", inside, width)
        layer(attention + ".out_proj", width, inside)
    layer(name + "transformer.norm_final_attn", width)
    layer(name + "output_upscaling.0", width, width // 4, 2, 2)
    layer(name + "output_upscaling.1", width // 4)
    layer(name + "output_upscaling.3", width // 4, width // 8, 2, 2)
    for mask in range(masks):
        for i, (a, b) in enumerate([(width, width), (width, width), (width // 8, width)]):
            layer(f"{name}output_hypernetworks_mlps.{mask}.layers.{i}", a, b)
    inside, depth = decoder["iou_head_hidden_dim"], decoder["iou_head_depth"]
    for i in range(depth):
        layer(f"{name}iou_prediction_head.layers.{i}", masks if i + 1 == depth else inside, inside if i else width)
    return names


def weights(config, seed=77):
    """Random weights that keep every activation of order one; norms and biases are not trivial."""
    random = torch.Generator().manual_seed(seed)
    out = {}
    for name, shape in sorted(shapes(config).items()):
        x = torch.randn(shape, generator=random)
        if len(shape) == 1:
            x = 0.2 * x + (0 if name.endswith("bias") else 1)
        elif "embed" in name or "token" in name or "rel_pos" in name or "gaussian" in name:
            x = 0.7 * x if "rel_pos" not in name else 0.4 * x
        else:
            fan = shape[0] if "output_upscaling" in name else math.prod(shape[1:])
            x = x / math.sqrt(fan)
        if ".q_proj.weight" in name or ".k_proj.weight" in name:
            x = x / 2  # sharper scores magnify float32's rounding: PyTorch's own is then 30 tolerances from float64
        if name == "image_encoder.patch_embed.proj.weight":
            x = x / 3  # neighbouring pixels are alike, so their products add up
        out[name] = x
    return out


def blob(height, width, seed):
    """A mask with a soft edge nowhere: an ellipse and a bar."""
    y, x = np.mgrid[0:height, 0:width]
    inside = ((x - width * (0.3 + 0.03 * seed)) / (0.22 * width)) ** 2 + ((y - height / 2) / (0.3 * height)) ** 2 < 1
    inside[height * 3 // 4:height * 4 // 5, width // 8:width * 7 // 8] = True
    return inside.astype(np.uint8)


def run(case, w, dtype, config=CONFIG):
    """Tensors and metadata of one case."""
    file, given, several, passes, quirks = CASES[case]
    image = Image.open(GOLDENS / "images-parity" / file)
    side = 4 * config["vision_config"]["image_size"] // config["vision_config"]["patch_size"]
    prompt = {name: torch.tensor(given[name]) for name in ("points", "box", "labels") if name in given}
    if "mask" in given:
        prompt["mask"] = torch.from_numpy(blob(side, side, given["mask"]).astype(np.float32)) * 9 - 5
    if "coarse" in given:
        prompt["coarse"] = torch.from_numpy(blob(image.height, image.width, given["coarse"]).astype(np.float32))
    options = dict(several=several, passes=passes, quirks=quirks)
    tensors = answer({k: v.to(dtype) for k, v in w.items()}, config, image, prompt, **options)
    if case not in ENCODED:
        tensors = {k: v for k, v in tensors.items() if not k.startswith(("sam.image_", "sam.pixel", "sam.dense_"))}
    if case in ("both", "box"):  # one picture is enough
        del tensors["sam.pixel_values"]
    if dtype == torch.float64:
        tensors = {k: v for k, v in tensors.items() if any(fnmatch.fnmatch(k, pattern) for pattern in IN_DOUBLE)}
    last = f"sam.pass.{max(passes, 1) - 1}."
    tensors = {k: v for k, v in tensors.items() if not k.startswith("sam.pass.") or (
        k.startswith(last) or not k.endswith(".masks")) and (
        k.startswith("sam.pass.0.") or any(fnmatch.fnmatch(k, pattern) for pattern in LATER))}
    return tensors, metadata(file, **options)


def runs():
    return [(case, dtype) for case in CASES for dtype in (torch.float32, torch.float64)
            if dtype == torch.float32 or case in DOUBLE]


def file_name(case, dtype):
    return f"activations/{case}{'.f64' if dtype == torch.float64 else ''}.safetensors"


def make(folder):
    (FOLDER / "model.safetensors").parent.mkdir(parents=True, exist_ok=True)
    w = weights(CONFIG)
    write(FOLDER / "model.safetensors", w, {"format": "pt"})
    (FOLDER / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")
    run_all(folder, w)
    (folder / "bf16_distances.json").write_text(json.dumps(bf16_distances(w), indent=1) + "\n")


def bf16_distances(w):
    """How far PyTorch's own bfloat16 run is from its float32 run, tensor by tensor: what ours is held against."""
    out = {}
    with torch.no_grad():
        for case in CASES:
            exact, rough = run(case, w, torch.float32)[0], run(case, w, torch.bfloat16)[0]
            out[case] = {name: round(distance(rough[name], tensor), 6) for name, tensor in exact.items()
                         if not name.startswith("prompt.") and name not in ("sam.pixel_values", "sam.prior")}
    return out


def run_all(folder, w):
    torch.set_num_threads(1)
    with torch.no_grad():
        for case, dtype in runs():
            run(case, w, dtype)  # warms up: torch's first pass can be off
            write(folder / file_name(case, dtype), *run(case, w, dtype))


def compare(folder):
    """Whether the files of `folder` are the committed ones."""
    wrong = 0
    for case, dtype in runs():
        fresh, committed = load_file(folder / file_name(case, dtype)), load_file(FOLDER / file_name(case, dtype))
        assert fresh.keys() == committed.keys(), case
        for name in fresh:
            relative, absolute = TOLERANCES[dtype] if fresh[name].is_floating_point() else (0, 0)
            try:
                torch.testing.assert_close(fresh[name], committed[name], rtol=relative, atol=absolute)
            except AssertionError as error:
                wrong += 1
                print(f"FAIL {file_name(case, dtype)}: {name}: {' '.join(str(error).split())}")
    print(f"{len(runs())} SAM files, {wrong} tensors differ from the committed ones")
    return wrong == 0


def hugging_face_name(name):
    """transformers' name of a released one."""
    if "prompt_encoder.pe_layer" in name:
        return "shared_image_embedding.positional_embedding"
    for old, new in (("image_encoder.", "vision_encoder."), (".patch_embed.proj", ".patch_embed.projection"),
                     (".norm1", ".layer_norm1"), (".norm2", ".layer_norm2"), (".norm3", ".layer_norm3"),
                     (".norm4", ".layer_norm4"), (".blocks.", ".layers."), ("neck.0", "neck.conv1"),
                     ("neck.1", "neck.layer_norm1"), ("neck.2", "neck.conv2"), ("neck.3", "neck.layer_norm2"),
                     ("point_embeddings", "point_embed"), ("mask_downscaling.0", "mask_embed.conv1"),
                     ("mask_downscaling.1", "mask_embed.layer_norm1"), ("mask_downscaling.3", "mask_embed.conv2"),
                     ("mask_downscaling.4", "mask_embed.layer_norm2"), ("mask_downscaling.6", "mask_embed.conv3"),
                     ("output_upscaling.0", "upscale_conv1"), ("output_upscaling.1", "upscale_layer_norm"),
                     ("output_upscaling.3", "upscale_conv2"), ("norm_final_attn", "layer_norm_final_attn")):
        name = name.replace(old, new)
    if "output_hypernetworks_mlps." in name or "iou_prediction_head." in name:
        for old, new in ((".layers.0.", ".proj_in."), (".layers.2.", ".proj_out."), (".layers.1.", ".layers.0.")):
            name = name.replace(old, new)
    return name


def hugging_face_model(w, config):
    """transformers' SamModel with the released weights `w`, in their type."""
    from transformers import SamConfig, SamModel
    sizes = {k: dict(v) for k, v in config.items() if isinstance(v, dict)}
    sizes["mask_decoder_config"]["layer_norm_eps"] = 1e-5  # the released code's; the library's own default is 1e-6
    model = SamModel._from_config(SamConfig(**sizes), dtype=next(iter(w.values())).dtype).eval()
    named = {hugging_face_name(k): v for k, v in w.items()}
    copies = {"prompt_encoder.shared_embedding.positional_embedding": "shared_image_embedding.positional_embedding"}
    model.load_state_dict(named | {copy: named[name] for copy, name in copies.items()}, strict=True)
    return model


def released_package():
    """The `segment_anything` package, or None. Of torchvision it only wants a picture resized: Pillow does that."""
    resizing = types.SimpleNamespace(resize=lambda image, size: image.resize(size[::-1], Image.BILINEAR),
                                     to_pil_image=Image.fromarray)
    for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional", "torchvision.ops",
                 "torchvision.ops.boxes"):
        module = types.ModuleType(name)
        vars(module).update(vars(resizing), batched_nms=None, box_area=None)
        sys.modules.setdefault(name, module)
    try:
        import segment_anything
    except ImportError:
        return None
    return segment_anything


def released_predictor(package, w, config):
    """The package's own predictor around its own model of our sizes."""
    vision, decoder, modeling = config["vision_config"], config["mask_decoder_config"], package.modeling
    side, grid = vision["image_size"], vision["image_size"] // vision["patch_size"]
    model = modeling.Sam(
        modeling.ImageEncoderViT(
            img_size=side, patch_size=vision["patch_size"], embed_dim=vision["hidden_size"],
            depth=vision["num_hidden_layers"], num_heads=vision["num_attention_heads"],
            mlp_ratio=vision["mlp_dim"] / vision["hidden_size"], out_chans=vision["output_channels"], qkv_bias=True,
            norm_layer=partial(torch.nn.LayerNorm, eps=vision["layer_norm_eps"]), use_rel_pos=True,
            window_size=vision["window_size"], global_attn_indexes=vision["global_attn_indexes"]),
        modeling.PromptEncoder(decoder["hidden_size"], (grid, grid), (side, side),
                               config["prompt_encoder_config"]["mask_input_channels"]),
        modeling.MaskDecoder(
            transformer_dim=decoder["hidden_size"], num_multimask_outputs=decoder["num_multimask_outputs"],
            transformer=modeling.TwoWayTransformer(decoder["num_hidden_layers"], decoder["hidden_size"],
                                                   decoder["num_attention_heads"], decoder["mlp_dim"]),
            iou_head_depth=decoder["iou_head_depth"], iou_head_hidden_dim=decoder["iou_head_hidden_dim"])).eval()
    print("segment_anything:", model.load_state_dict(w, strict=False))
    return package.SamPredictor(model.double())


def check():
    """sam_model.py against two implementations that it shares no code with, on the cases' prompts, in float64."""
    w, vision = {k: v.double() for k, v in weights(CONFIG).items()}, CONFIG["vision_config"]
    model = hugging_face_model(w, CONFIG)
    model.set_attn_implementation("eager")
    package = released_package()
    released = None if package is None else released_predictor(package, w, CONFIG)
    if released is None:
        print("segment_anything: not installed")
    worst = {}
    with torch.no_grad(), Widen():
        for case in CASES:
            tensors, _ = run(case, w, torch.float64)
            file, given, several, passes, _ = CASES[case]
            image = Image.open(GOLDENS / "images-parity" / file).convert("RGB")
            mask = tensors.get("sam.prior", tensors.get("prompt.mask"))
            mask = None if mask is None else mask.double()
            inside = sam_model.resized(image.height, image.width, vision["image_size"])
            predictor = sam_model.Predictor(w, CONFIG, image)
            options = {}
            if "points" in given:
                options["input_points"] = predictor.inner(given["points"])[None, None]
                options["input_labels"] = torch.tensor(given["labels"])[None, None]
            if "box" in given:
                options["input_boxes"] = predictor.inner(np.reshape(given["box"], (2, 2))).reshape(1, 1, 4)
            pixels = sam_model.pixel_values(image, vision["image_size"]).double().permute(2, 0, 1)[None]
            for number in range(max(passes, 1)):
                if mask is not None:
                    options["input_masks"] = mask[None, None]
                mine = tensors[f"sam.pass.{number}.low_res_logits"]
                scale = mine.abs().max()
                if options.keys() - {"input_masks"}:  # transformers asks for a point or a box
                    theirs = model(pixel_values=pixels, multimask_output=several, **options)
                    worst[f"transformers {case} {number}"] = (theirs.pred_masks[0, 0] - mine).abs().max() / scale
                if released is not None:
                    released.set_image(np.asarray(image))
                    masks, iou, low = released.predict(
                        np.array(given["points"]) if "points" in given else None,
                        np.array(given["labels"]) if "labels" in given else None,
                        np.array(given["box"]) if "box" in given else None,
                        None if mask is None else mask[None].numpy(), several, return_logits=True)
                    worst[f"segment_anything {case} {number}"] = (torch.from_numpy(low) - mine).abs().max() / scale
                    full = tensors.get(f"sam.pass.{number}.masks")
                    if full is not None:
                        worst[f"segment_anything {case} {number} full size"] = (
                            (torch.from_numpy(masks) - full).abs().max() / full.abs().max())
                mask = mine[0]
    for name, value in worst.items():
        print(f"{name}: relative difference {float(value):.1e}")
    return all(value < 1e-10 for value in worst.values())


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--keep", type=Path, help="where fresh activations stay; the committed ones are compared")
    arguments.add_argument("--check", action="store_true", help="compare with other implementations")
    chosen = arguments.parse_args()
    if chosen.check:
        sys.exit(0 if check() else 1)
    if chosen.keep:
        run_all(chosen.keep, load_file(FOLDER / "model.safetensors"))
        sys.exit(0 if compare(chosen.keep) else 1)
    make(FOLDER)
