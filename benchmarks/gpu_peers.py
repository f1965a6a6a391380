#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PyTorch on the shapes that cuda_report times, on the same GPU. One JSON line a reading; what fails is reported and the
rest goes on.

    gpu_peers.py [--device cuda] [--tiny] PART …

ceilings: a product of 8192 and a copy. operations: products and attention. 2b, 7b: Qwen2-VL in transformers, launch by
launch, with random weights of the true sizes: its phases, an answer as the released predictor makes it, and the next
question. 2b_compiled, 7b_compiled: a decoded token over a cache of fixed length as one graph, of plain and of compiled
code; where one of them cannot be had, that is a reading and no failure. sam: ViT-H. `--tiny` takes sizes and repeats that any processor does in seconds, to try the code itself."""

import argparse
import contextlib
import dataclasses
import json
import statistics
import time

import torch
import torch.nn.functional as F


@dataclasses.dataclass
class Sizes:
    """Of Qwen2-VL, a picture and an answer."""
    hidden: int
    ffn: int
    heads: int
    kv_heads: int
    vocabulary: int
    tied: bool
    layers: int = 28
    blocks: int = 32
    vision: int = 1280
    vision_heads: int = 16
    grid: int = 64  # patches a side
    prompt: int = 1100
    decoded: int = 50  # tokens timed one by one
    words: int = 40  # tokens of an answer that is timed as a whole
    question: int = 38
    picture: int = 1200  # pixels a side
    sections: tuple = (16, 24, 24)  # of half a head, one a rotary axis

    @property
    def cells(self):
        return self.grid**2 // 4


MODELS = {
    "2b": Sizes(hidden=1536, ffn=8960, heads=12, kv_heads=2, vocabulary=151936, tied=True),
    "7b": Sizes(hidden=3584, ffn=18944, heads=28, kv_heads=4, vocabulary=152064, tied=False),
}
TINY = {"layers": 2, "blocks": 2, "vision": 32, "vision_heads": 2, "grid": 8, "prompt": 30, "decoded": 3, "words": 4,
        "question": 3, "picture": 40, "sections": (2, 3, 3)}
MANY = 20  # brief calls that are recorded one after another, at least


def say(**reading):
    print(json.dumps(reading), flush=True)


def first_line(error):
    return (str(error).splitlines() or [""])[0]


class Peer:
    """Times calls on one device; `tiny` repeats little."""

    def __init__(self, device, tiny):
        self.device, self.tiny = device, tiny
        self.on_gpu = torch.device(device).type == "cuda"
        self.batches = 3 if tiny else 15
        self.batch_seconds = 0.0005 if tiny else 0.005

    def random(self, *shape):
        return torch.randn(*shape, device=self.device, dtype=torch.bfloat16)

    def wait(self):
        if self.on_gpu:
            torch.cuda.synchronize()

    def milliseconds(self, call):
        """Median, tenth and ninetieth per cent of one call's time, in batches of some milliseconds."""
        for _ in range(3):
            call()
        self.wait()
        calls = 1
        while True:
            start = time.perf_counter()
            for _ in range(calls):
                call()
            self.wait()
            if time.perf_counter() - start > self.batch_seconds or calls >= 4096:
                break
            calls *= 2
        times = []
        for _ in range(self.batches):
            start = time.perf_counter()
            for _ in range(calls):
                call()
            self.wait()
            times.append((time.perf_counter() - start) / calls * 1e3)
        times.sort()
        return times[len(times) // 2], times[1], times[-2]

    def recorded(self, call, many):
        """The times of one call among `many` that one graph launches."""
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                call()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            for _ in range(many):
                call()
        return [ms / many for ms in self.milliseconds(graph.replay)]

    def reading(self, kind, name, call, operations, count, many=MANY):
        """Brief calls as a graph, so that no host's launches are timed: where cuda_report draws the line, too."""
        times, launched = None, 0
        try:
            if self.on_gpu and operations < 40e9 and count < 200e6:
                try:
                    times, launched = self.recorded(call, many), many
                except RuntimeError:  # what cannot be recorded is timed call by call
                    self.wait()
            times = times or self.milliseconds(call)
        except RuntimeError as error:
            say(kind=kind, name=name, failed=first_line(error))
            return
        say(kind=kind, name=name, ms=times[0], ms_p10=times[1], ms_p90=times[2], recorded=launched,
            tflops=operations / times[0] * 1e-9, gbytes_per_s=count / times[0] * 1e-6)


def report_ceilings(peer):
    side = 64 if peer.tiny else 8192
    a, b = peer.random(side, side), peer.random(side, side)
    peer.reading("ceiling", "square_8192", lambda: a @ b, 2 * side**3, 3 * 2 * side**2)
    source = peer.random(1 << (12 if peer.tiny else 30))
    target = torch.empty_like(source)
    peer.reading("ceiling", "copy", lambda: target.copy_(source), 0, 4 * source.numel())


def product(peer, name, rows, width, out):
    if peer.tiny:
        rows, width, out = min(rows, 3), 32, 16
    copies = max(1, min(96 if rows <= 16 else 16, (256 << 20) // (2 * width * out)))
    weights = [peer.random(out, width) * 0.02 for _ in range(copies)]
    x = peer.random(rows, width)
    turn = [0]

    def call():
        turn[0] += 1
        return F.linear(x, weights[turn[0] % copies])

    peer.reading("product", name, call, 2 * rows * width * out, 2 * (width * out + rows * (width + out)),
                 max(MANY, copies))


def attention(peer, name, rows, keys, heads, kv_heads, dim, causal, visible):
    """Every backend, and where heads share keys also with PyTorch's own sharing in place of copies made before."""
    if peer.tiny:
        rows, keys, heads, kv_heads, dim, visible = min(rows, 4), 4, heads // kv_heads, 1, 16, 16
    from torch.nn.attention import SDPBackend, sdpa_kernel
    query, key, value = (peer.random(1, count, length, dim)
                         for count, length in ((heads, rows), (kv_heads, keys), (kv_heads, keys)))
    wide = [t.repeat_interleave(heads // kv_heads, 1).contiguous() for t in (key, value)]
    for label, backend in (("flash", SDPBackend.FLASH_ATTENTION), ("cudnn", SDPBackend.CUDNN_ATTENTION),
                           ("efficient", SDPBackend.EFFICIENT_ATTENTION)):
        for shared in (False, True):
            if shared and heads == kv_heads:
                continue
            k, v = (key, value) if shared else wide
            with sdpa_kernel(backend):
                peer.reading("attention", f"{name}_{label}" + ("_shared" if shared else ""),
                             lambda: F.scaled_dot_product_attention(query, k, v, is_causal=causal, enable_gqa=shared),
                             4 * visible * heads * dim, 2 * (2 * rows * heads + 2 * keys * k.shape[1]) * dim)


def report_operations(peer):
    for name, width, out in (("vision_qkv", 1280, 3840), ("vision_proj", 1280, 1280), ("vision_fc1", 1280, 5120),
                             ("vision_fc2", 5120, 1280)):
        product(peer, f"{name}_4096", 4096, width, out)
    for rows in (1, 1024, 1100):
        for name, width, out in (("2b_qkv", 1536, 2048), ("2b_o", 1536, 1536), ("2b_gate_up", 1536, 17920),
                                 ("2b_down", 8960, 1536), ("7b_qkv", 3584, 4608), ("7b_o", 3584, 3584),
                                 ("7b_gate_up", 3584, 37888), ("7b_down", 18944, 3584)):
            product(peer, f"{name}_{rows}", rows, width, out)
    product(peer, "2b_head_1", 1, 1536, 151936)
    product(peer, "square_8192", 8192, 8192, 8192)
    attention(peer, "vision_hd80", 4096, 4096, 16, 16, 80, False, 4096 * 4096)
    for size, heads, kv_heads in (("2b", 12, 2), ("7b", 28, 4)):
        attention(peer, f"prefill_{size}", 1100, 1100, heads, kv_heads, 128, True, 1100 * 1101 / 2)
        attention(peer, f"mask_{size}", 1024, 2174, heads, kv_heads, 128, False, 1024 * 2174)
        attention(peer, f"decode_{size}", 1, 1150, heads, kv_heads, 128, False, 1150)


class Laps:
    """Milliseconds of each phase, run by run; the first run warms up."""

    def __init__(self, peer, name):
        self.peer, self.name, self.times = peer, name, {}

    def start(self):
        self.peer.wait()
        self.since = time.perf_counter()

    def lap(self, phase, parts=1):
        self.peer.wait()
        self.times.setdefault(phase, []).append((time.perf_counter() - self.since) / parts * 1e3)
        self.since = time.perf_counter()

    def say(self, **more):
        for phase, times in self.times.items():
            times = sorted(times[1:])
            say(kind="phase", name=f"{self.name}_{phase}", ms=statistics.median(times), ms_p10=times[0],
                ms_p90=times[-1], **more.get(phase, {}))


@contextlib.contextmanager
def made_on(device):
    """Models are made where they run, in bfloat16."""
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(device):
            yield
    finally:
        torch.set_default_dtype(torch.float32)


def with_random_weights(model):
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.normal_(std=0.02)
    return model.eval()


class Answers:
    """Qwen2-VL with a mask classifier, asked as the released predictor asks it. Rotary positions run on instead of
    following the picture's grid: that costs the same."""

    def __init__(self, peer, sizes):
        from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration
        config = Qwen2VLConfig(
            vocab_size=sizes.vocabulary, hidden_size=sizes.hidden, intermediate_size=sizes.ffn,
            num_hidden_layers=sizes.layers, num_attention_heads=sizes.heads, num_key_value_heads=sizes.kv_heads,
            tie_word_embeddings=sizes.tied, rope_theta=1e6, pad_token_id=None, bos_token_id=None, eos_token_id=None,
            rope_scaling={"type": "mrope", "mrope_section": list(sizes.sections)},
            vision_config={"depth": sizes.blocks, "embed_dim": sizes.vision, "hidden_size": sizes.hidden,
                           "num_heads": sizes.vision_heads, "mlp_ratio": 4, "patch_size": 14, "spatial_merge_size": 2,
                           "temporal_patch_size": 2})
        with made_on(peer.device):
            self.model = with_random_weights(Qwen2VLForConditionalGeneration(config))
            self.classifier = torch.nn.Linear(sizes.hidden, 1)
        self.attention = self.model.config._attn_implementation
        self.peer, self.sizes = peer, sizes
        self.text = self.model.model.language_model
        self.embed = self.model.get_input_embeddings()
        self.grid = torch.tensor([[1, sizes.grid, sizes.grid]], device=peer.device)
        self.ids = torch.randint(1, sizes.vocabulary, (1, sizes.prompt), device=peer.device)
        self.question = torch.randint(1, sizes.vocabulary, (1, sizes.question), device=peer.device)
        self.patches = torch.randn(sizes.grid**2, 1176).to(torch.bfloat16)
        if peer.on_gpu:
            self.patches = self.patches.pin_memory()

    def look(self):
        """Patches in the host's memory to features."""
        found = self.model.model.visual(self.patches.to(self.peer.device), grid_thw=self.grid)
        return found if isinstance(found, torch.Tensor) else found.pooler_output

    def read(self, cache, embeddings):
        """The greedy choice after these tokens, which the host waits for, as it asks whether the answer ends."""
        hidden = self.text(inputs_embeds=embeddings, past_key_values=cache, use_cache=True).last_hidden_state
        return int(self.model.lm_head(hidden[:, -1]).argmax())

    def begin(self, features):
        """The prompt with the picture's features in it, read."""
        from transformers import DynamicCache
        cache = DynamicCache()
        embeddings = self.embed(self.ids)
        embeddings[:, 1:1 + len(features)] = features
        return cache, self.read(cache, embeddings)

    def answer(self, cache, word, count):
        for _ in range(count):
            word = self.read(cache, self.embed(torch.tensor([[word]], device=self.peer.device)))

    def mask(self, cache, features):
        """One pass of mask embeddings, which see everything; logits to the host. The cache is left as it was."""
        history, cells = cache.get_seq_length(), self.sizes.cells
        seen = {"full_attention": features.new_zeros(1, 1, cells, history + cells)}
        hidden = self.text(inputs_embeds=(self.embed(self.ids[:, :1]) + features[None]), past_key_values=cache,
                           attention_mask=seen, use_cache=True).last_hidden_state
        logits = self.classifier(hidden)[0, :, 0].float().cpu()
        cache.crop(-cells)
        return logits

    def picture_of(self, logits):
        side, picture = self.sizes.grid // 2, self.sizes.picture
        return F.interpolate(logits.view(1, 1, side, side), (picture, picture), mode="bilinear") > 0

    def time_phases(self, laps):
        laps.start()
        features = self.look()
        laps.lap("vision")
        cache, word = self.begin(features)
        laps.lap("prefill")
        self.answer(cache, word, self.sizes.decoded)
        laps.lap("decode_token", self.sizes.decoded)
        self.mask(cache, features)
        laps.lap("mask_pass")

    def time_answers(self, laps):
        """In two phases: an answer, and for its mask the picture seen again. The next question keeps the cache, which
        is more than the released predictor does."""
        laps.start()
        cache, word = self.begin(self.look())
        self.answer(cache, word, self.sizes.words)
        self.picture_of(self.mask(cache, self.look()))
        laps.lap("end_to_end")
        word = self.read(cache, self.embed(self.question))
        self.answer(cache, word, self.sizes.words)
        self.picture_of(self.mask(cache, self.look()))
        laps.lap("next_question")


class FixedCache:
    """Decoding over a cache of fixed length, whose step is the same launches for every token: one graph on a GPU."""

    def __init__(self, answers):
        from transformers import StaticCache
        self.answers, self.peer = answers, answers.peer
        device, prompt = self.peer.device, answers.sizes.prompt
        length = prompt + answers.sizes.decoded + 1
        self.cache = StaticCache(config=answers.model.config, max_cache_len=length)
        self.slots = torch.arange(length, device=device)
        self.word = torch.ones(1, 1, dtype=torch.long, device=device)
        self.place = torch.zeros(1, dtype=torch.long, device=device)
        self.read(answers.ids, self.slots[:prompt])

    def read(self, ids, places):
        """The greedy choice after these tokens, on the device."""
        hidden = self.answers.embed(ids)
        unseen = self.slots > places[:, None]
        mask = torch.zeros_like(unseen, dtype=hidden.dtype).masked_fill(unseen, float("-inf"))
        hidden = self.answers.text(inputs_embeds=hidden, past_key_values=self.cache, use_cache=True, cache_position=places,
                                   position_ids=places.expand(3, 1, -1),
                                   attention_mask={"full_attention": mask[None, None]}).last_hidden_state
        return self.answers.model.lm_head(hidden[:, -1]).argmax(-1, keepdim=True)

    def words(self, step, count):
        """`count` greedy words after the prompt, each of which the host waits for."""
        self.word.fill_(1)
        self.place.fill_(self.answers.sizes.prompt)
        found = []
        for _ in range(count):
            step()
            found.append(int(self.word))
        return found

    def time(self, name, read):
        """Says what a token takes whose launches are `read`'s."""
        def step():
            self.word.copy_(read(self.word, self.place))
            self.place.add_(1)

        if self.peer.on_gpu:
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                self.words(step, 3)
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                step()
            step = graph.replay
        laps, count = Laps(self.peer, name), self.answers.sizes.decoded
        for _ in range(2 if self.peer.tiny else 5):
            laps.start()
            self.words(step, count)
            laps.lap("decode_token", count)
        laps.say()


def report_compiled(peer, name):
    """The plain graph first, since compiling may take more time than there is."""
    sizes = sizes_of(peer, name)
    expect_memory(peer, sizes)
    with torch.inference_mode():
        fixed = FixedCache(Answers(peer, sizes))
        fixed.time(f"{name}_static", fixed.read)
        # For a processor it is traced alone: compilers take a minute.
        fixed.time(f"{name}_compiled",
                   torch.compile(fixed.read, fullgraph=True, backend="inductor" if peer.on_gpu else "aot_eager"))


def sizes_of(peer, name):
    sizes = MODELS[name]
    if peer.tiny:
        sizes = dataclasses.replace(sizes, hidden=16 * sizes.heads // sizes.kv_heads, ffn=64, kv_heads=1,
                                    heads=sizes.heads // sizes.kv_heads, vocabulary=200, **TINY)
    return sizes


def expect_memory(peer, sizes):
    if peer.on_gpu:
        layer = 2 * sizes.hidden**2 + 3 * sizes.hidden * sizes.ffn
        needed = 2 * (sizes.layers * layer + 2 * sizes.vocabulary * sizes.hidden) + (8 << 30)
        free = torch.cuda.mem_get_info()[0]
        if free < needed:
            raise RuntimeError(f"needs {needed >> 30} GiB of device memory, {free >> 30} are free")


def report_answers(peer, name):
    sizes = sizes_of(peer, name)
    expect_memory(peer, sizes)
    with torch.inference_mode():
        answers = Answers(peer, sizes)
        say(kind="model", name=name, attention=answers.attention)
        laps = Laps(peer, name)
        for _ in range(2 if peer.tiny else 5):
            answers.time_phases(laps)
        for _ in range(2 if peer.tiny else 4):
            answers.time_answers(laps)
    laps.say(end_to_end={"words": sizes.words}, next_question={"words": sizes.words})


def report_sam(peer):
    """Eager transformers' SamModel of ViT-H's sizes: pixels into features, one point through the decoder."""
    from transformers import SamConfig, SamModel, SamVisionConfig
    if peer.tiny:
        side, runs = 128, 2
        vision = SamVisionConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, mlp_dim=64, image_size=side,
                                 global_attn_indexes=[1], window_size=4)
    else:
        side, runs = 1024, 8
        vision = SamVisionConfig(hidden_size=1280, num_hidden_layers=32, num_attention_heads=16, mlp_dim=5120,
                                 global_attn_indexes=[7, 15, 23, 31])
    config = SamConfig(vision_config=vision.to_dict(),
                       prompt_encoder_config={"image_size": side, "image_embedding_size": side // 16})
    with made_on(peer.device):
        model = with_random_weights(SamModel(config))
    pixels = peer.random(1, 3, side, side)
    point = torch.tensor([[[[50.0, 37.5]]]], device=peer.device, dtype=torch.bfloat16)
    label = torch.ones(1, 1, 1, dtype=torch.long, device=peer.device)
    laps = Laps(peer, "sam_vit_h")
    with torch.inference_mode():
        for _ in range(runs):
            laps.start()
            image = model.get_image_embeddings(pixels)
            laps.lap("image")
            found = model(image_embeddings=image, input_points=point, input_labels=label, multimask_output=False)
            F.interpolate(found.pred_masks[0].float(), (side, side), mode="bilinear").cpu()
            laps.lap("prompt")
    laps.say()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    compiled = tuple(f"{name}_compiled" for name in MODELS)
    parser.add_argument("parts", nargs="+", choices=("ceilings", "operations", *MODELS, "sam", *compiled))
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true")
    chosen = parser.parse_args()
    peer = Peer(chosen.device, chosen.tiny)
    say(kind="device", name=torch.cuda.get_device_name() if peer.on_gpu else chosen.device, torch=torch.__version__,
        tiny=peer.tiny)
    failed = False
    for part in chosen.parts:
        try:
            if part in MODELS:
                report_answers(peer, part)
            elif part in compiled:
                report_compiled(peer, part.removesuffix("_compiled"))
            else:
                {"ceilings": report_ceilings, "operations": report_operations, "sam": report_sam}[part](peer)
        except Exception as error:  # another version of PyTorch or transformers: the other readings stand
            failed = failed or part not in compiled
            say(kind="peer" if part in compiled else "phase", name=part, failed=f"{type(error).__name__}: {first_line(error)}")
        if peer.on_gpu:
            torch.cuda.empty_cache()
    return failed


if __name__ == "__main__":
    raise SystemExit(main())
