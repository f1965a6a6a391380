# SPDX-License-Identifier: Apache-2.0
"""SAM in plain PyTorch, from a state dict with the released names: the oracle of the C++ model.

Every function takes the state dict `w` and works in the type of its tensors. Maps have their channels last, [rows,
columns, channels], but for the contract's `sam.image_embeddings` and mask logits. `keep(name, tensor)` hears every
activation. `sam_goldens.py` compares it with transformers and with the released package.
"""
import math

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


# width, blocks, heads, blocks that see the whole image
PUBLISHED = {"vit_b": (768, 12, 12, [2, 5, 8, 11]), "vit_l": (1024, 24, 16, [5, 11, 17, 23]),
             "vit_h": (1280, 32, 16, [7, 15, 23, 31])}


def published_config(model):
    """Sizes of vit_b, vit_l or vit_h as transformers' SamConfig names them."""
    width, blocks, heads, whole = PUBLISHED[model]
    return {
        "vision_config": dict(
            hidden_size=width, output_channels=256, num_hidden_layers=blocks, num_attention_heads=heads,
            mlp_dim=4 * width, image_size=1024, patch_size=16, window_size=14, global_attn_indexes=whole,
            layer_norm_eps=1e-6, num_pos_feats=128),
        "prompt_encoder_config": dict(hidden_size=256, image_size=1024, patch_size=16, mask_input_channels=16),
        "mask_decoder_config": dict(
            hidden_size=256, mlp_dim=2048, num_hidden_layers=2, num_attention_heads=8, attention_downsample_rate=2,
            num_multimask_outputs=3, iou_head_depth=3, iou_head_hidden_dim=256),
    }


def resized(height, width, side):
    """(height, width) whose longest side is `side`."""
    scale = side / max(height, width)
    return int(height * scale + 0.5), int(width * scale + 0.5)


def pixel_values(image, side):
    """An RGB picture as the encoder takes it: [side, side, 3], zeros beyond the picture, float32."""
    height, width = resized(image.height, image.width, side)
    small = np.asarray(image.convert("RGB").resize((width, height), Image.BILINEAR))
    normal = (torch.from_numpy(small.copy()).float() - torch.tensor(MEAN)) / torch.tensor(STD)
    return F.pad(normal, (0, 0, 0, side - width, 0, side - height))


def linear(w, name, x):
    return F.linear(x, w[name + ".weight"], w.get(name + ".bias"))


def norm(w, name, x, eps):
    return F.layer_norm(x, x.shape[-1:], w[name + ".weight"], w[name + ".bias"], eps)


def conv(w, name, x, **options):
    return F.conv2d(x.permute(2, 0, 1)[None], w[name + ".weight"], w.get(name + ".bias"), **options)[0].permute(1, 2, 0)


def spread(w, name, x):
    y = F.conv_transpose2d(x.permute(2, 0, 1)[None], w[name + ".weight"], w[name + ".bias"], stride=2)
    return y[0].permute(1, 2, 0)


def image_attention(w, name, x, heads):
    """x [squares, side, side, width]; each position looks at its own square."""
    squares, side, _, width = x.shape
    q, k, v = linear(w, name + ".qkv", x).reshape(squares, side * side, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
    scores = (q * (width // heads) ** -0.5) @ k.transpose(-2, -1)
    apart = torch.arange(side)[:, None] - torch.arange(side)[None] + side - 1
    grid = q.reshape(squares, heads, side, side, -1)
    down = torch.einsum("shyxd,yvd->shyxv", grid, w[name + ".rel_pos_h"][apart])
    across = torch.einsum("shyxd,xud->shyxu", grid, w[name + ".rel_pos_w"][apart])
    places = down[..., :, None] + across[..., None, :]
    weights = (scores + places.reshape(scores.shape)).softmax(-1)
    mixed = (weights @ v).transpose(1, 2).reshape(squares, side, side, width)
    return linear(w, name + ".proj", mixed)


def windows_of(x, side):
    """[rows, columns, width] cut into [windows, side, side, width], zeros where a window reaches past the map."""
    rows, columns, width = x.shape
    x = F.pad(x, (0, 0, 0, -columns % side, 0, -rows % side))
    down, across = x.shape[0] // side, x.shape[1] // side
    return x.reshape(down, side, across, side, width).transpose(1, 2).reshape(-1, side, side, width), (down, across)


def image_encoder(w, config, pixels, keep):
    """pixels [side, side, 3] to features [grid, grid, channels]."""
    name, eps = "image_encoder.", config["layer_norm_eps"]
    x = conv(w, name + "patch_embed.proj", pixels, stride=config["patch_size"])
    keep("sam.image_encoder.patch_embed", x.flatten(0, 1))
    x = x + w[name + "pos_embed"][0]
    for i in range(config["num_hidden_layers"]):
        block, heads = f"{name}blocks.{i}.", config["num_attention_heads"]
        y = norm(w, block + "norm1", x, eps)
        if i in config["global_attn_indexes"]:
            x = x + image_attention(w, block + "attn", y[None], heads)[0]
        else:
            side = config["window_size"]
            cut, (down, across) = windows_of(y, side)
            seen = image_attention(w, block + "attn", cut, heads)
            whole = seen.reshape(down, across, side, side, -1).transpose(1, 2).reshape(down * side, across * side, -1)
            x = x + whole[:x.shape[0], :x.shape[1]]
        inner = F.gelu(linear(w, block + "mlp.lin1", norm(w, block + "norm2", x, eps)))
        x = x + linear(w, block + "mlp.lin2", inner)
        keep(f"sam.image_encoder.blocks.{i}", x.flatten(0, 1))
    x = norm(w, name + "neck.1", conv(w, name + "neck.0", x), eps)
    keep("sam.image_encoder.neck.1", x.flatten(0, 1))
    x = norm(w, name + "neck.3", conv(w, name + "neck.2", x, padding=1), eps)
    return x


def place_codes(w, at):
    """at [..., 2], x and y in [0, 1], to [..., channels]."""
    angle = 2 * math.pi * ((2 * at - 1) @ w["prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"])
    return torch.cat([angle.sin(), angle.cos()], -1)


def dense_positions(w, grid, dtype):
    centre = (torch.arange(grid, dtype=dtype) + 0.5) / grid
    y, x = torch.meshgrid(centre, centre, indexing="ij")
    return place_codes(w, torch.stack([x, y], -1))


def sparse_prompt(w, points, labels, box, side):
    """points [n, 2] and box [4] or None in the padded square's pixels; labels [n] of 0 and 1."""
    name, tokens = "prompt_encoder.", []
    if points is not None:
        codes = place_codes(w, (points + 0.5) / side)
        kinds = [w[f"{name}point_embeddings.{label}.weight"][0] for label in labels.tolist()]
        tokens.append(codes + torch.stack(kinds))
        if box is None:
            tokens.append(w[name + "not_a_point_embed.weight"])
    if box is not None:
        codes = place_codes(w, (box.reshape(2, 2) + 0.5) / side)
        tokens.append(codes + torch.cat([w[f"{name}point_embeddings.{corner}.weight"] for corner in (2, 3)]))
    width = w[name + "no_mask_embed.weight"].shape[1]
    return torch.cat(tokens) if tokens else torch.zeros(0, width, dtype=w[name + "no_mask_embed.weight"].dtype)


def dense_prompt(w, mask, grid):
    """mask [4·grid, 4·grid] or None."""
    name = "prompt_encoder."
    if mask is None:
        return w[name + "no_mask_embed.weight"][0].expand(grid, grid, -1)
    x = mask[..., None]
    for layer in (0, 3):
        x = conv(w, f"{name}mask_downscaling.{layer}", x, stride=2)
        x = F.gelu(norm(w, f"{name}mask_downscaling.{layer + 1}", x, 1e-6))
    return conv(w, name + "mask_downscaling.6", x)


def attention(w, name, q, k, v, heads):
    q, k, v = (linear(w, f"{name}.{part}_proj", x).reshape(len(x), heads, -1).transpose(0, 1)
               for part, x in (("q", q), ("k", k), ("v", v)))
    weights = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(-1)
    return linear(w, name + ".out_proj", (weights @ v).transpose(0, 1).flatten(1))


def two_way(w, config, queries, keys, places, keep):
    """queries [tokens, width] are the prompt, keys [positions, width] the image, `places` where those stand."""
    name, heads, prompt = "mask_decoder.transformer.", config["num_attention_heads"], queries
    for i in range(config["num_hidden_layers"]):
        layer = f"{name}layers.{i}."
        if i == 0:
            queries = attention(w, layer + "self_attn", queries, queries, queries, heads)
        else:
            placed = queries + prompt
            queries = queries + attention(w, layer + "self_attn", placed, placed, queries, heads)
        queries = norm(w, layer + "norm1", queries, 1e-5)
        look = attention(w, layer + "cross_attn_token_to_image", queries + prompt, keys + places, keys, heads)
        queries = norm(w, layer + "norm2", queries + look, 1e-5)
        inner = F.relu(linear(w, layer + "mlp.lin1", queries))
        queries = norm(w, layer + "norm3", queries + linear(w, layer + "mlp.lin2", inner), 1e-5)
        look = attention(w, layer + "cross_attn_image_to_token", keys + places, queries + prompt, queries, heads)
        keys = norm(w, layer + "norm4", keys + look, 1e-5)
        keep(f"transformer.layers.{i}.queries", queries)
        keep(f"transformer.layers.{i}.keys", keys)
    look = attention(w, name + "final_attn_token_to_image", queries + prompt, keys + places, keys, heads)
    queries = norm(w, name + "norm_final_attn", queries + look, 1e-5)
    keep("transformer.norm_final_attn", queries)
    return queries, keys


def head(w, name, x):
    layers = sum(key.startswith(name + ".layers.") and key.endswith(".weight") for key in w)
    for i in range(layers):
        x = linear(w, f"{name}.layers.{i}", F.relu(x) if i else x)
    return x


def mask_decoder(w, config, image, places, sparse, dense, several, keep):
    """Low-resolution logits [masks, 4·grid, 4·grid] and the predicted overlaps [masks]."""
    name, grid = "mask_decoder.", image.shape[0]
    own = torch.cat([w[name + "iou_token.weight"], w[name + "mask_tokens.weight"]])
    keys = (image + dense).flatten(0, 1)
    queries, keys = two_way(w, config, torch.cat([own, sparse]), keys, places.flatten(0, 1), keep)
    x = spread(w, name + "output_upscaling.0", keys.reshape(grid, grid, -1))
    x = F.gelu(norm(w, name + "output_upscaling.1", x, 1e-6))
    x = F.gelu(spread(w, name + "output_upscaling.3", x))
    keep("upscaled", x.flatten(0, 1))
    masks = range(1, len(own) - 1) if several else range(1)
    kernels = torch.stack([head(w, f"{name}output_hypernetworks_mlps.{m}", queries[1 + m]) for m in masks])
    keep("hypernetworks", kernels)
    quality = head(w, name + "iou_prediction_head", queries[:1])
    keep("iou_prediction_head", quality)
    logits, iou = (x @ kernels.T).permute(2, 0, 1), quality[0, list(masks)]
    keep("low_res_logits", logits)
    keep("iou", iou)
    return logits, iou


def full_size(logits, side, inside, original):
    """Low-resolution logits at the size of the picture; `inside` is its (height, width) in the padded square."""
    x = F.interpolate(logits[None], (side, side), mode="bilinear", align_corners=False)
    x = x[..., :inside[0], :inside[1]]
    return F.interpolate(x, original, mode="bilinear", align_corners=False)[0]


def prior(coarse, side, quirks=True):
    """A mask [height, width] of 0 and 1 as a mask prompt, as STAMP's released evaluation makes it.

    The resize goes through 8-bit pixels, in which the padding of -1 wraps to 255 and becomes foreground, and a mask
    that needs no resize keeps its 0 and 1 to be divided by 255. Without quirks the padding says nothing (0) and
    every mask is scaled alike.
    """
    height, width = coarse.shape
    if quirks and (height, width) == (side, side):
        shade = np.asarray(coarse, np.float32)
    else:
        height, width = resized(height, width, side)
        shade = np.asarray(Image.fromarray(np.asarray(coarse, np.uint8) * 255).resize((width, height), Image.BILINEAR))
    padding = ((0, side - height), (0, side - width))
    x = np.pad(shade, padding, constant_values=255 if quirks else 0).astype(np.float32) / np.float32(255)
    x = np.where(x >= 1, np.float32(0.999), np.where(x == 0, np.float32(0.001), x))
    logits = np.log((x / (1 - x)).astype(np.float64)).astype(np.float32)  # float32 logarithms differ by platform
    if not quirks:
        logits[height:], logits[:, width:] = 0, 0
    return torch.from_numpy(logits)


class Predictor:
    """One image, many prompts. Coordinates are those of the original picture."""

    def __init__(self, w, config, image, keep=lambda name, tensor: None):
        self.w, self.config, self.keep = w, config, keep
        vision = config["vision_config"]
        self.side, self.grid = vision["image_size"], vision["image_size"] // vision["patch_size"]
        self.original, self.inside = (image.height, image.width), resized(image.height, image.width, vision["image_size"])
        self.dtype = w["image_encoder.pos_embed"].dtype
        pixels = pixel_values(image, self.side)
        keep("sam.pixel_values", pixels)
        self.image = image_encoder(w, vision, pixels.to(self.dtype), keep)
        keep("sam.image_embeddings", self.image.permute(2, 0, 1))
        self.places = dense_positions(w, self.grid, self.dtype)
        keep("sam.dense_positions", self.places.flatten(0, 1))

    def inner(self, at):
        """[n, 2] of the picture to the padded square, float32 as upstream."""
        (old_h, old_w), (new_h, new_w) = self.original, self.inside
        at = np.asarray(at, np.float64) * np.array([new_w / old_w, new_h / old_h])
        return torch.from_numpy(at).float().to(self.dtype)

    def predict(self, points=None, labels=None, box=None, mask=None, several=False, number=0):
        """Returns logits at the picture's size, overlaps and low-resolution logits."""
        keep = lambda name, tensor: self.keep(f"sam.pass.{number}.{name}", tensor)
        sparse = sparse_prompt(self.w, None if points is None else self.inner(points), labels,
                               None if box is None else self.inner(np.reshape(box, (2, 2))).flatten(), self.side)
        keep("sparse", sparse)
        dense = dense_prompt(self.w, None if mask is None else mask.to(self.dtype), self.grid)
        keep("dense", dense.flatten(0, 1))
        low, iou = mask_decoder(self.w, self.config["mask_decoder_config"], self.image, self.places, sparse, dense,
                                several, keep)
        masks = full_size(low, self.side, self.inside, self.original)
        keep("masks", masks)
        return masks, iou, low

    def cascade(self, coarse, points, labels, passes=3, quirks=True):
        """The released refinement: the coarse mask as prompt first, then each result's own logits."""
        mask = prior(coarse, 4 * self.grid, quirks)
        self.keep("sam.prior", mask)
        for number in range(passes):
            masks, iou, low = self.predict(points, labels, mask=mask, number=number)
            mask = low[0]
        return masks[0] > 0
