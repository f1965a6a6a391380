#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PyTorch on the shapes that cuda_report times, on the same GPU: products, attention, and the phases of Qwen2-VL 2B
with random weights. One JSON line a reading; what fails here is reported and the rest goes on."""

import json
import statistics
import time

import torch
import torch.nn.functional as F


def say(**reading):
    print(json.dumps(reading), flush=True)


def milliseconds(call, batches=15):
    """Median, tenth and ninetieth per cent of one call's time, in batches of some milliseconds."""
    for _ in range(3):
        call()
    torch.cuda.synchronize()
    calls = 1
    while True:
        start = time.perf_counter()
        for _ in range(calls):
            call()
        torch.cuda.synchronize()
        if time.perf_counter() - start > 0.005 or calls >= 4096:
            break
        calls *= 2
    times = []
    for _ in range(batches):
        start = time.perf_counter()
        for _ in range(calls):
            call()
        torch.cuda.synchronize()
        times.append((time.perf_counter() - start) / calls * 1e3)
    times.sort()
    return times[len(times) // 2], times[1], times[-2]


def reading(kind, name, times, operations, count):
    say(kind=kind, name=name, ms=times[0], ms_p10=times[1], ms_p90=times[2],
        tflops=operations / times[0] * 1e-9, gbytes_per_s=count / times[0] * 1e-6)


def ceilings():
    a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    b = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    reading("ceiling", "square_8192", milliseconds(lambda: a @ b), 2 * 8192**3, 3 * 2 * 8192**2)
    source = torch.empty(1 << 30, device="cuda", dtype=torch.bfloat16).normal_()
    target = torch.empty_like(source)
    reading("ceiling", "copy", milliseconds(lambda: target.copy_(source)), 0, 4 * source.numel())


def product(name, rows, width, out):
    copies = max(1, min(16, (256 << 20) // (2 * width * out)))
    weights = [torch.randn(out, width, device="cuda", dtype=torch.bfloat16) * 0.02 for _ in range(copies)]
    x = torch.randn(rows, width, device="cuda", dtype=torch.bfloat16)
    turn = [0]

    def call():
        turn[0] += 1
        return F.linear(x, weights[turn[0] % copies])

    reading("product", name, milliseconds(call), 2 * rows * width * out, 2 * (width * out + rows * (width + out)))


def attention(name, rows, keys, heads, kv_heads, dim, causal, visible):
    query = torch.randn(1, heads, rows, dim, device="cuda", dtype=torch.bfloat16)
    key = torch.randn(1, kv_heads, keys, dim, device="cuda", dtype=torch.bfloat16)
    value = torch.randn_like(key)
    key, value = (t.repeat_interleave(heads // kv_heads, 1).contiguous() for t in (key, value))
    from torch.nn.attention import SDPBackend, sdpa_kernel
    for label, backend in (("flash", SDPBackend.FLASH_ATTENTION), ("cudnn", SDPBackend.CUDNN_ATTENTION)):
        try:
            with sdpa_kernel(backend):
                times = milliseconds(lambda: F.scaled_dot_product_attention(query, key, value, is_causal=causal))
            reading("attention", f"{name}_{label}", times, 4 * visible * heads * dim,
                    2 * (2 * rows + 2 * keys) * heads * dim)
        except RuntimeError as error:
            say(kind="attention", name=f"{name}_{label}", failed=str(error).splitlines()[0])


def phases():
    """Eager transformers; the mask pass is a forward of 1,024 embeddings over a cache of 1,150 keys."""
    from transformers import DynamicCache, Qwen2VLConfig, Qwen2VLForConditionalGeneration
    config = Qwen2VLConfig(
        vocab_size=151936, hidden_size=1536, intermediate_size=8960, num_hidden_layers=28, num_attention_heads=12,
        num_key_value_heads=2, tie_word_embeddings=True, rope_theta=1e6,
        rope_scaling={"type": "mrope", "mrope_section": [16, 24, 24]},
        vision_config={"depth": 32, "embed_dim": 1280, "hidden_size": 1536, "num_heads": 16, "mlp_ratio": 4,
                       "patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2})
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        model = Qwen2VLForConditionalGeneration(config).eval()
    torch.set_default_dtype(torch.float32)
    visual = model.model.visual
    text = model.model.language_model
    pixels = torch.randn(4096, 1176, device="cuda", dtype=torch.bfloat16)
    grid = torch.tensor([[1, 64, 64]], device="cuda")
    laps = {}

    def lap(name, start, parts=1):
        torch.cuda.synchronize()
        laps.setdefault(name, []).append((time.perf_counter() - start) / parts * 1e3)

    with torch.inference_mode():
        for _ in range(6):
            cache = DynamicCache()
            torch.cuda.synchronize()
            start = time.perf_counter()
            visual(pixels, grid_thw=grid)
            lap("vision", start)
            x = torch.randn(1, 1100, 1536, device="cuda", dtype=torch.bfloat16)
            start = time.perf_counter()
            hidden = text(inputs_embeds=x, past_key_values=cache, use_cache=True).last_hidden_state
            model.lm_head(hidden[:, -1]).float().cpu()
            lap("prefill", start)
            start = time.perf_counter()
            for _ in range(50):
                hidden = text(inputs_embeds=x[:, :1], past_key_values=cache, use_cache=True).last_hidden_state
                model.lm_head(hidden[:, -1]).float().cpu()
            lap("decode_token", start, 50)
            mask = torch.zeros(1, 1, 1024, 1150 + 1024, device="cuda", dtype=torch.bfloat16)
            start = time.perf_counter()
            text(inputs_embeds=x[:, :1024], past_key_values=cache, use_cache=True, attention_mask=mask)
            lap("mask_pass", start)
    for name, times in laps.items():
        times = sorted(times[1:])
        say(kind="phase", name=f"2b_{name}", ms=statistics.median(times), ms_p10=times[0], ms_p90=times[-1])


def sam():
    """Eager transformers' SamModel of ViT-H's sizes: pixels into features, one point through the decoder."""
    from transformers import SamConfig, SamModel, SamVisionConfig
    vision = SamVisionConfig(hidden_size=1280, num_hidden_layers=32, num_attention_heads=16, mlp_dim=5120,
                             global_attn_indexes=[7, 15, 23, 31])
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        model = SamModel(SamConfig(vision_config=vision.to_dict())).eval()
    torch.set_default_dtype(torch.float32)
    pixels = torch.randn(1, 3, 1024, 1024, device="cuda", dtype=torch.bfloat16)
    point = torch.tensor([[[[500.0, 375.0]]]], device="cuda", dtype=torch.bfloat16)
    label = torch.ones(1, 1, 1, dtype=torch.long, device="cuda")
    laps = {"image": [], "prompt": []}
    with torch.inference_mode():
        for _ in range(8):
            torch.cuda.synchronize()
            start = time.perf_counter()
            image = model.get_image_embeddings(pixels)
            torch.cuda.synchronize()
            laps["image"].append((time.perf_counter() - start) * 1e3)
            start = time.perf_counter()
            found = model(image_embeddings=image, input_points=point, input_labels=label, multimask_output=False)
            F.interpolate(found.pred_masks[0].float(), (1024, 1024), mode="bilinear").cpu()
            laps["prompt"].append((time.perf_counter() - start) * 1e3)
    for name, times in laps.items():
        times = sorted(times[1:])
        say(kind="phase", name=f"sam_vit_h_{name}", ms=statistics.median(times), ms_p10=times[0], ms_p90=times[-1])


def main():
    say(kind="device", name=torch.cuda.get_device_name(), torch=torch.__version__)
    ceilings()
    for name, width, out in (("vision_qkv", 1280, 3840), ("vision_proj", 1280, 1280), ("vision_fc1", 1280, 5120),
                             ("vision_fc2", 5120, 1280)):
        product(f"{name}_4096", 4096, width, out)
    for rows in (1, 1024, 1100):
        for name, width, out in (("2b_q", 1536, 1536), ("2b_kv", 1536, 256), ("2b_up", 1536, 8960),
                                 ("2b_down", 8960, 1536), ("7b_q", 3584, 3584), ("7b_kv", 3584, 512),
                                 ("7b_up", 3584, 18944), ("7b_down", 18944, 3584)):
            product(f"{name}_{rows}", rows, width, out)
    product("2b_head_1", 1, 1536, 151936)
    product("square_8192", 8192, 8192, 8192)
    attention("vision_hd80", 4096, 4096, 16, 16, 80, False, 4096 * 4096)
    for size, heads, kv_heads in (("2b", 12, 2), ("7b", 28, 4)):
        attention(f"prefill_{size}", 1100, 1100, heads, kv_heads, 128, True, 1100 * 1101 / 2)
        attention(f"mask_{size}", 1024, 2174, heads, kv_heads, 128, False, 1024 * 2174)
        attention(f"decode_{size}", 1, 1150, heads, kv_heads, 128, False, 1150)
    for name, measure in (("2b", phases), ("sam_vit_h", sam)):
        try:
            measure()
        except Exception as error:  # another version of transformers: the other readings stand
            say(kind="phase", name=name, failed=f"{type(error).__name__}: {error}".splitlines()[0])


if __name__ == "__main__":
    main()
