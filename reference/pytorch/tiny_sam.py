# SPDX-License-Identifier: Apache-2.0
"""The tiny SAM: its sizes, its first weights, and its forward pass for a batch of pictures with several prompts each.

The names and the mathematics are those of `sam_model.py`, which takes one picture and one prompt at a time and checks this
file through the exported weights. Here a grid position keeps its 4 x 4 logits beside it until the end, so that the small
convolutions of stride 2 are matrix products.
"""
import math

import torch
from torch.nn import functional as F

from sam_model import MEAN, STD

SIDE, PATCH, WINDOW = 256, 8, 8
GRID = SIDE // PATCH
LOW = 4 * GRID                 # logits a side
WIDTH, DEPTH, HEADS, MLP, GLOBAL = 128, 4, 4, 512, (2,)
HIDDEN, DECODER_DEPTH, DECODER_HEADS, DECODER_MLP, DOWN = 96, 2, 4, 384, 2
MASKS, PROMPT_MAPS = 4, 16


def config():
    """The same sizes as transformers' SamConfig has them."""
    return {
        "architectures": ["SamModel"], "model_type": "sam", "initializer_range": 0.02,
        "vision_config": {
            "model_type": "sam_vision_model", "hidden_size": WIDTH, "output_channels": HIDDEN, "num_hidden_layers": DEPTH,
            "num_attention_heads": HEADS, "num_channels": 3, "image_size": SIDE, "patch_size": PATCH, "hidden_act": "gelu",
            "layer_norm_eps": 1e-6, "attention_dropout": 0.0, "qkv_bias": True, "mlp_ratio": MLP / WIDTH, "mlp_dim": MLP,
            "use_abs_pos": True, "use_rel_pos": True, "window_size": WINDOW, "global_attn_indexes": list(GLOBAL),
            "num_pos_feats": HIDDEN // 2, "scale": HIDDEN // 2},
        "prompt_encoder_config": {
            "hidden_size": HIDDEN, "image_size": SIDE, "patch_size": PATCH, "image_embedding_size": GRID,
            "mask_input_channels": PROMPT_MAPS, "num_point_embeddings": 4, "hidden_act": "gelu", "layer_norm_eps": 1e-6},
        "mask_decoder_config": {
            "hidden_size": HIDDEN, "hidden_act": "relu", "mlp_dim": DECODER_MLP, "num_hidden_layers": DECODER_DEPTH,
            "num_attention_heads": DECODER_HEADS, "attention_downsample_rate": DOWN, "num_multimask_outputs": MASKS - 1,
            "iou_head_depth": 3, "iou_head_hidden_dim": HIDDEN, "layer_norm_eps": 1e-6}}


def initial(seed):
    """Fresh weights by their released names, float32."""
    random, w = torch.Generator().manual_seed(seed), {}

    def normal(name, *shape, scale=1.0):
        w[name] = torch.randn(shape, generator=random) * scale

    def linear(name, out, into, scale=1.0, bias=True):
        normal(name + ".weight", out, into, scale=scale / math.sqrt(into))
        if bias:
            w[name + ".bias"] = torch.zeros(out)

    def norm(name, width):
        w[name + ".weight"], w[name + ".bias"] = torch.ones(width), torch.zeros(width)

    def conv(name, out, into, kernel, bias=True):
        normal(name + ".weight", out, into, kernel, kernel, scale=1 / math.sqrt(into * kernel * kernel))
        if bias:
            w[name + ".bias"] = torch.zeros(out)

    def spread(name, into, out):
        normal(name + ".weight", into, out, 2, 2, scale=1 / math.sqrt(into))
        w[name + ".bias"] = torch.zeros(out)

    n = "image_encoder."
    conv(n + "patch_embed.proj", WIDTH, 3, PATCH)
    normal(n + "pos_embed", 1, GRID, GRID, WIDTH, scale=.02)
    for i in range(DEPTH):
        b, side = f"{n}blocks.{i}.", GRID if i in GLOBAL else WINDOW
        norm(b + "norm1", WIDTH)
        linear(b + "attn.qkv", 3 * WIDTH, WIDTH)
        linear(b + "attn.proj", WIDTH, WIDTH, .5)
        for axis in "hw":
            w[f"{b}attn.rel_pos_{axis}"] = torch.zeros(2 * side - 1, WIDTH // HEADS)
        norm(b + "norm2", WIDTH)
        linear(b + "mlp.lin1", MLP, WIDTH)
        linear(b + "mlp.lin2", WIDTH, MLP, .5)
    conv(n + "neck.0", HIDDEN, WIDTH, 1, bias=False)
    norm(n + "neck.1", HIDDEN)
    conv(n + "neck.2", HIDDEN, HIDDEN, 3, bias=False)
    norm(n + "neck.3", HIDDEN)

    n = "prompt_encoder."
    normal(n + "pe_layer.positional_encoding_gaussian_matrix", 2, HIDDEN // 2)
    for kind in range(4):
        normal(f"{n}point_embeddings.{kind}.weight", 1, HIDDEN)
    normal(n + "not_a_point_embed.weight", 1, HIDDEN)
    normal(n + "no_mask_embed.weight", 1, HIDDEN)
    conv(n + "mask_downscaling.0", PROMPT_MAPS // 4, 1, 2)
    norm(n + "mask_downscaling.1", PROMPT_MAPS // 4)
    conv(n + "mask_downscaling.3", PROMPT_MAPS, PROMPT_MAPS // 4, 2)
    norm(n + "mask_downscaling.4", PROMPT_MAPS)
    conv(n + "mask_downscaling.6", HIDDEN, PROMPT_MAPS, 1)

    n = "mask_decoder."

    def attention(name, inner):
        for part in "qkv":
            linear(f"{name}.{part}_proj", inner, HIDDEN)
        linear(name + ".out_proj", HIDDEN, inner, .5)
    for i in range(DECODER_DEPTH):
        b = f"{n}transformer.layers.{i}."
        attention(b + "self_attn", HIDDEN)
        attention(b + "cross_attn_token_to_image", HIDDEN // DOWN)
        attention(b + "cross_attn_image_to_token", HIDDEN // DOWN)
        linear(b + "mlp.lin1", DECODER_MLP, HIDDEN)
        linear(b + "mlp.lin2", HIDDEN, DECODER_MLP, .5)
        for k in range(1, 5):
            norm(f"{b}norm{k}", HIDDEN)
    attention(n + "transformer.final_attn_token_to_image", HIDDEN // DOWN)
    norm(n + "transformer.norm_final_attn", HIDDEN)
    normal(n + "iou_token.weight", 1, HIDDEN)
    normal(n + "mask_tokens.weight", MASKS, HIDDEN)
    spread(n + "output_upscaling.0", HIDDEN, HIDDEN // 4)
    norm(n + "output_upscaling.1", HIDDEN // 4)
    spread(n + "output_upscaling.3", HIDDEN // 4, HIDDEN // 8)
    for head, out in [(f"output_hypernetworks_mlps.{k}", HIDDEN // 8) for k in range(MASKS)] + [("iou_prediction_head", MASKS)]:
        linear(f"{n}{head}.layers.0", HIDDEN, HIDDEN)
        linear(f"{n}{head}.layers.1", HIDDEN, HIDDEN)
        linear(f"{n}{head}.layers.2", out, HIDDEN)
    return w


def is_matrix(name):
    """Whether Muon moves it; embeddings, tables, convolutions and norms are AdamW's."""
    inside = (".blocks." in name and "rel_pos" not in name) or ".transformer.layers." in name or "attn_token" in name
    return inside and name.endswith(".weight") and "norm" not in name


def linear(w, name, x):
    return F.linear(x, w[name + ".weight"], w.get(name + ".bias"))


def norm(w, name, x, eps):
    return F.layer_norm(x, x.shape[-1:], w[name + ".weight"], w[name + ".bias"], eps)


def normalised(pictures):
    """[..., side, side, 3] of 0 to 255, float; what lies beside a picture is zeroed by the caller."""
    return (pictures.float() - torch.tensor(MEAN)) / torch.tensor(STD)


def look_around(w, name, x):
    """Attention of every position of x [squares, side, side, width] to its own square."""
    squares, side, _, width = x.shape
    q, k, v = linear(w, name + ".qkv", x).view(squares, side * side, 3, HEADS, width // HEADS).permute(2, 0, 3, 1, 4)
    apart = torch.arange(side)[:, None] - torch.arange(side)[None] + side - 1
    grid = q.reshape(squares, HEADS, side, side, -1)
    down = torch.einsum("shyxd,yvd->shyxv", grid, w[name + ".rel_pos_h"][apart]).flatten(2, 3)
    across = torch.einsum("shyxd,xud->shyxu", grid, w[name + ".rel_pos_w"][apart]).flatten(2, 3)
    # The relative positions as further dimensions: a key's are ones at its own row and column.
    one = torch.eye(side, dtype=x.dtype)
    own = torch.cat([one.repeat_interleave(side, 0), one.repeat(side, 1)], 1).expand(squares, HEADS, -1, -1)
    q = torch.cat([q * (width // HEADS) ** -.5, down, across], -1)
    mixed = (q @ torch.cat([k, own], -1).transpose(-2, -1)).softmax(-1) @ v
    return linear(w, name + ".proj", mixed.transpose(1, 2).reshape(squares, side, side, width))


def image_encoder(w, pixels):
    """pixels [B, side, side, 3] to features [B, positions, HIDDEN]."""
    n, b, cut = "image_encoder.", len(pixels), GRID // WINDOW
    x = F.conv2d(pixels.permute(0, 3, 1, 2), w[n + "patch_embed.proj.weight"], w[n + "patch_embed.proj.bias"], PATCH)
    x = x.permute(0, 2, 3, 1) + w[n + "pos_embed"]
    for i in range(DEPTH):
        block = f"{n}blocks.{i}."
        y = norm(w, block + "norm1", x, 1e-6)
        if i in GLOBAL:
            y = look_around(w, block + "attn", y)
        else:                                  # the windows fill the grid, so none is padded
            y = y.view(b, cut, WINDOW, cut, WINDOW, WIDTH).transpose(2, 3).reshape(-1, WINDOW, WINDOW, WIDTH)
            y = look_around(w, block + "attn", y)
            y = y.view(b, cut, cut, WINDOW, WINDOW, WIDTH).transpose(2, 3).reshape(b, GRID, GRID, WIDTH)
        x = x + y
        inner = F.gelu(linear(w, block + "mlp.lin1", norm(w, block + "norm2", x, 1e-6)))
        x = x + linear(w, block + "mlp.lin2", inner)
    x = norm(w, n + "neck.1", F.linear(x, w[n + "neck.0.weight"].flatten(1)), 1e-6)
    x = F.conv2d(x.permute(0, 3, 1, 2), w[n + "neck.2.weight"], padding=1).permute(0, 2, 3, 1)
    return norm(w, n + "neck.3", x, 1e-6).reshape(b, GRID * GRID, HIDDEN)


def place_codes(w, at):
    angle = 2 * math.pi * ((2 * at - 1) @ w["prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"].float())
    return torch.cat([angle.sin(), angle.cos()], -1)


def dense_positions(w):
    centre = (torch.arange(GRID) + .5) / GRID
    y, x = torch.meshgrid(centre, centre, indexing="ij")
    return place_codes(w, torch.stack([x, y], -1)).flatten(0, 1).to(w["mask_decoder.iou_token.weight"].dtype)


def sparse_prompt(w, points, labels, boxes):
    """points [N, k, 2] with labels [N, k] of 0 and 1, or None; boxes [N, 4] or None; pixels of the square."""
    n, tokens = "prompt_encoder.", []
    kinds = torch.cat([w[f"{n}point_embeddings.{k}.weight"] for k in range(4)])
    if points is not None:
        tokens.append(place_codes(w, (points + .5) / SIDE).to(kinds.dtype) + kinds[labels])
        if boxes is None:
            tokens.append(w[n + "not_a_point_embed.weight"].expand(len(points), 1, -1))
    if boxes is not None:
        tokens.append(place_codes(w, (boxes.view(-1, 2, 2) + .5) / SIDE).to(kinds.dtype) + kinds[2:])
    return torch.cat(tokens, 1) if tokens else None


def by_position(maps):
    """[N, LOW, LOW] to [N, positions, 4, 4]: for each position its 2 x 2 quarters with their own 2 x 2."""
    return maps.view(-1, GRID, 2, 2, GRID, 2, 2).permute(0, 1, 4, 2, 5, 3, 6).reshape(-1, GRID * GRID, 4, 4)


def by_pixel(maps):
    """The reverse of by_position; dimensions in front of it stay."""
    front = maps.shape[:-3]
    maps = maps.view(-1, GRID, GRID, 2, 2, 2, 2).permute(0, 1, 3, 5, 2, 4, 6)
    return maps.reshape(*front, LOW, LOW)


def dense_prompt(w, masks):
    """Mask logits [N, LOW, LOW] to [N, positions, HIDDEN]; None gives one row for all."""
    n = "prompt_encoder."
    if masks is None:
        return w[n + "no_mask_embed.weight"]
    n += "mask_downscaling."
    x = by_position(masks).to(w[n + "0.weight"].dtype)
    x = F.linear(x, w[n + "0.weight"].flatten(1), w[n + "0.bias"])
    x = F.gelu(norm(w, n + "1", x, 1e-6)).flatten(2)
    x = F.linear(x, w[n + "3.weight"].permute(0, 2, 3, 1).flatten(1), w[n + "3.bias"])
    return F.linear(F.gelu(norm(w, n + "4", x, 1e-6)), w[n + "6.weight"].flatten(1), w[n + "6.bias"])


def attention(w, name, q, k, v):
    q, k, v = (linear(w, f"{name}.{part}_proj", x).unflatten(-1, (DECODER_HEADS, -1)).transpose(1, 2)
               for part, x in (("q", q), ("k", k), ("v", v)))
    mixed = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(-1) @ v
    return linear(w, name + ".out_proj", mixed.transpose(1, 2).flatten(2))


def two_way(w, prompt, keys, places):
    n, queries = "mask_decoder.transformer.", prompt
    for i in range(DECODER_DEPTH):
        layer = f"{n}layers.{i}."
        if i == 0:
            queries = attention(w, layer + "self_attn", queries, queries, queries)
        else:
            placed = queries + prompt
            queries = queries + attention(w, layer + "self_attn", placed, placed, queries)
        queries = norm(w, layer + "norm1", queries, 1e-5)
        seen = attention(w, layer + "cross_attn_token_to_image", queries + prompt, keys + places, keys)
        queries = norm(w, layer + "norm2", queries + seen, 1e-5)
        inner = F.relu(linear(w, layer + "mlp.lin1", queries))
        queries = norm(w, layer + "norm3", queries + linear(w, layer + "mlp.lin2", inner), 1e-5)
        seen = attention(w, layer + "cross_attn_image_to_token", keys + places, queries + prompt, queries)
        keys = norm(w, layer + "norm4", keys + seen, 1e-5)
    seen = attention(w, n + "final_attn_token_to_image", queries + prompt, keys + places, keys)
    return norm(w, n + "norm_final_attn", queries + seen, 1e-5), keys


def spread(w, name, x):
    """A transposed convolution of kernel and stride 2: [..., in] to [..., 4, out]."""
    kernel = w[name + ".weight"].permute(2, 3, 1, 0)
    return F.linear(x, kernel.reshape(-1, x.shape[-1])).unflatten(-1, (4, -1)) + w[name + ".bias"]


def head(w, name, x):
    for i in range(3):
        x = linear(w, f"{name}.layers.{i}", F.relu(x) if i else x)
    return x


def mask_decoder(w, image, places, sparse, dense, masks):
    """Logits [N, masks, LOW, LOW] and overlaps [N, masks], float32. image [N, positions, HIDDEN]; masks names which."""
    n, amount = "mask_decoder.", len(image)
    own = torch.cat([w[n + "iou_token.weight"], w[n + "mask_tokens.weight"]]).expand(amount, -1, -1)
    queries, keys = two_way(w, own if sparse is None else torch.cat([own, sparse], 1), image + dense, places)
    x = F.gelu(norm(w, n + "output_upscaling.1", spread(w, n + "output_upscaling.0", keys), 1e-6))
    x = F.gelu(spread(w, n + "output_upscaling.3", x)).flatten(1, 3)
    kernels = torch.stack([head(w, f"{n}output_hypernetworks_mlps.{m}", queries[:, 1 + m]) for m in masks], 1)
    logits = (kernels @ x.transpose(1, 2)).float().unflatten(-1, (GRID * GRID, 4, 4))
    overlaps = head(w, n + "iou_prediction_head", queries[:, 0])[:, list(masks)].float()
    return by_pixel(logits), overlaps
