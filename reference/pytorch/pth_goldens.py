# SPDX-License-Identifier: Apache-2.0
"""Writes tests/goldens/pth/: files that torch.save wrote, for tests/unit/pth_test.cpp.

  zip.pth               a state dict of every storage class, views, shared storages, a parameter
  legacy.pth            the same, in the container of PyTorch before 1.6
  wrapped.pth           {"model": the same, "epoch": ..., ...}
  script.pth            torch.jit.save of a module: a ZIP that is no state dict
  protocol4.pth         torch.save(..., pickle_protocol=4)
  expected.safetensors  the same tensors, row-major, as the safetensors library writes them
  sam_names.json        names and shapes of a small SAM: as transformers' SamModel has them, and as
                        segment-anything writes them (that list is ours)

Usage: .venv/bin/python reference/pytorch/pth_goldens.py [FOLDER]
legacy.pth names its storages by addresses, so its bytes differ from run to run.
"""

import json
import sys
import warnings
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import (
    SamConfig, SamMaskDecoderConfig, SamModel, SamPromptEncoderConfig, SamVisionConfig)


def state_dict() -> dict:
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    tensors = module.state_dict()  # an OrderedDict with _metadata, and an int64 scalar
    base = torch.arange(24.0).reshape(4, 6)
    tensors["view.rows"] = base[1:3]  # in a row, but not from the storage's start
    tensors["view.transposed"] = base.t()
    tensors["view.stepped"] = base[1:4:2, ::3]
    tensors["view.expanded"] = base[0, :2].expand(3, 2)
    tensors["view.tied"] = tensors["0.weight"]
    tensors["view.permuted"] = torch.arange(24, dtype=torch.int16).reshape(2, 3, 4).permute(2, 0, 1)
    for dtype in (torch.float16, torch.bfloat16, torch.float64, torch.int32, torch.int64,
                  torch.int16, torch.int8, torch.uint8):
        tensors[f"dtype.{dtype}".replace("torch.", "")] = torch.tensor([1, 2, 100]).to(dtype)
    tensors["dtype.bool"] = torch.tensor([True, False, True])
    tensors["parameter"] = torch.nn.Parameter(torch.tensor([0.5, -0.5]))
    tensors["empty"] = torch.zeros(0, 3)
    tensors["one.column"] = torch.arange(3.0).reshape(3, 1).t().t()
    return tensors


def huggingface_sam() -> list:
    config = SamConfig(
        vision_config=SamVisionConfig(
            hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=64,
            output_channels=8, global_attn_indexes=[1], window_size=2, num_pos_feats=4,
            mlp_dim=32).to_dict(),
        prompt_encoder_config=SamPromptEncoderConfig(
            hidden_size=8, image_size=64, mask_input_channels=4).to_dict(),
        mask_decoder_config=SamMaskDecoderConfig(
            hidden_size=8, mlp_dim=16, num_attention_heads=2, iou_head_hidden_dim=8).to_dict())
    return [[name, list(value.shape)] for name, value in SamModel(config).state_dict().items()]


def official_sam() -> list:
    """The names of segment-anything for the same sizes, in alphabetical order."""
    names = {"image_encoder.pos_embed": [1, 4, 4, 16]}

    def linear(name, rows, columns):
        names[name + ".weight"], names[name + ".bias"] = [rows, columns], [rows]

    def norm(name, width):
        names[name + ".weight"], names[name + ".bias"] = [width], [width]

    def convolution(name, *shape, bias=None):
        names[name + ".weight"] = list(shape)
        if bias:
            names[name + ".bias"] = [bias]

    convolution("image_encoder.patch_embed.proj", 16, 3, 16, 16, bias=16)
    for i, window in ((0, 2), (1, 4)):
        block = f"image_encoder.blocks.{i}."
        norm(block + "norm1", 16)
        norm(block + "norm2", 16)
        linear(block + "attn.qkv", 48, 16)
        linear(block + "attn.proj", 16, 16)
        names[block + "attn.rel_pos_h"] = names[block + "attn.rel_pos_w"] = [2 * window - 1, 8]
        linear(block + "mlp.lin1", 32, 16)
        linear(block + "mlp.lin2", 16, 32)
    convolution("image_encoder.neck.0", 8, 16, 1, 1)
    norm("image_encoder.neck.1", 8)
    convolution("image_encoder.neck.2", 8, 8, 3, 3)
    norm("image_encoder.neck.3", 8)

    names["prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"] = [2, 4]
    for name in ("point_embeddings.0", "point_embeddings.1", "point_embeddings.2",
                 "point_embeddings.3", "not_a_point_embed", "no_mask_embed"):
        names[f"prompt_encoder.{name}.weight"] = [1, 8]
    downscaling = "prompt_encoder.mask_downscaling."
    convolution(downscaling + "0", 1, 1, 2, 2, bias=1)
    norm(downscaling + "1", 1)
    convolution(downscaling + "3", 4, 1, 2, 2, bias=4)
    norm(downscaling + "4", 4)
    convolution(downscaling + "6", 8, 4, 1, 1, bias=8)

    names["mask_decoder.iou_token.weight"] = [1, 8]
    names["mask_decoder.mask_tokens.weight"] = [4, 8]
    transformer = "mask_decoder.transformer."

    def attention(name, inner):
        for projection in "qkv":
            linear(f"{transformer}{name}.{projection}_proj", inner, 8)
        linear(f"{transformer}{name}.out_proj", 8, inner)

    for i in range(2):
        layer = f"layers.{i}."
        attention(layer + "self_attn", 8)
        attention(layer + "cross_attn_token_to_image", 4)
        attention(layer + "cross_attn_image_to_token", 4)
        for number in (1, 2, 3, 4):
            norm(f"{transformer}{layer}norm{number}", 8)
        linear(transformer + layer + "mlp.lin1", 16, 8)
        linear(transformer + layer + "mlp.lin2", 8, 16)
    attention("final_attn_token_to_image", 4)
    norm(transformer + "norm_final_attn", 8)
    convolution("mask_decoder.output_upscaling.0", 8, 2, 2, 2, bias=2)
    norm("mask_decoder.output_upscaling.1", 2)
    convolution("mask_decoder.output_upscaling.3", 2, 1, 2, 2, bias=1)
    heads = [(f"output_hypernetworks_mlps.{i}", 1) for i in range(4)] + [("iou_prediction_head", 4)]
    for head, out in heads:
        linear(f"mask_decoder.{head}.layers.0", 8, 8)
        linear(f"mask_decoder.{head}.layers.1", 8, 8)
        linear(f"mask_decoder.{head}.layers.2", out, 8)
    return sorted([name, shape] for name, shape in names.items())


def main() -> None:
    root = Path(__file__).resolve().parents[2]
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else root / "tests/goldens/pth"
    folder.mkdir(parents=True, exist_ok=True)
    tensors = state_dict()
    torch.save(tensors, folder / "zip.pth")
    torch.save(tensors, folder / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save({"epoch": 3, "model": tensors, "rate": 0.5, "steps": 2**40, "none": None,
                "names": ["a", "b"], "below": -5}, folder / "wrapped.pth")
    torch.save({"w": torch.ones(1)}, folder / "protocol4.pth", pickle_protocol=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(torch.nn.Identity()), folder / "script.pth")
    save_file({name: value.detach().contiguous().clone() for name, value in tensors.items()},
              folder / "expected.safetensors")
    lists = {"huggingface": huggingface_sam(), "official": official_sam()}
    (folder / "sam_names.json").write_text(json.dumps(lists, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
