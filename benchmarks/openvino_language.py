# SPDX-License-Identifier: Apache-2.0
"""Times prefill and decode of the 2B model's language part in OpenVINO, by the protocol of time_phases.py.

    .venv/bin/python benchmarks/openvino_language.py --model DIR [--dtype bf16|int8] [--prompt 1064] [--decode 20]
    .venv/bin/python benchmarks/openvino_language.py --check     # its logits against transformers' Qwen2, small sizes

The graph is built with OpenVINO's own operations in the form that its CPU plugin fuses (RMS norm, rotary embedding,
attention over a key/value state that stays in the plugin); int8 weights have a scale a row, which the plugin expands
inside its products. Pictures and masks are left out: a prompt is as many words as a picture and its question would be.
"""
import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import openvino as ov
import torch
from openvino import opset13 as op
from safetensors import safe_open

WORD = 100  # any token: what the words are costs nothing


class Graph:
    """Ids [1, L], positions [L], mask [1, 1, L, T], beam [1] to the logits of the last word [1, 1, Vocab]."""

    def __init__(self, weight, config, int8):
        self.weight, self.c, self.int8 = weight, config, int8
        self.dim = config["hidden_size"] // config["num_attention_heads"]
        self.sinks = []

    def model(self):
        ids = op.parameter([1, -1], np.int64, name="ids")
        positions = op.parameter([-1], np.int64, name="positions")
        mask = op.parameter([1, 1, -1, -1], np.float32, name="mask")
        beam = op.parameter([1], np.int32, name="beam")
        table = self.matrix("model.embed_tokens")
        x = op.gather(table, ids, op.constant(0))
        turn = self.turn(positions)
        for layer in range(self.c["num_hidden_layers"]):
            name = f"model.layers.{layer}."
            y = self.attention(self.norm(x, name + "input_layernorm"), name + "self_attn.", turn, mask, beam)
            x = op.add(x, y)
            y = self.norm(x, name + "post_attention_layernorm")
            inner = op.multiply(op.swish(self.linear(y, name + "mlp.gate_proj")), self.linear(y, name + "mlp.up_proj"))
            x = op.add(x, self.linear(inner, name + "mlp.down_proj"))
        last = op.gather(self.norm(x, "model.norm"), op.constant([-1]), op.constant(1))
        logits = op.matmul(last, table, False, True)
        return ov.Model([op.result(logits)], self.sinks, [ids, positions, mask, beam], "language")

    def matrix(self, name):
        w = self.weight(name + ".weight").float()
        if not self.int8:
            return op.constant(w.numpy())
        scale = w.abs().amax(1, keepdim=True) / 127
        return op.multiply(op.convert(op.constant((w / scale).round().to(torch.int8).numpy()), np.float32),
                           op.constant(scale.numpy()))

    def linear(self, x, name, bias=False):
        y = op.matmul(x, self.matrix(name), False, True)
        return op.add(y, op.constant(self.weight(name + ".bias").float().numpy()[None, None])) if bias else y

    def norm(self, x, name):
        square = op.reduce_mean(op.power(x, op.constant(np.float32(2))), op.constant([-1]), True)
        root = op.sqrt(op.add(square, op.constant(np.float32(self.c["rms_norm_eps"]))))
        scaled = op.multiply(x, op.divide(op.constant(np.float32(1)), root))
        return op.multiply(scaled, op.constant(self.weight(name + ".weight").float().numpy()[None, None]))

    def turn(self, positions):
        """Cosine and sine [1, 1, L, dim] of text, whose three axes of M-RoPE are alike."""
        slow = self.c["rope_theta"] ** (-np.arange(0, self.dim, 2) / self.dim)
        at = op.unsqueeze(op.convert(positions, np.float32), op.constant([1]))
        half = op.multiply(at, op.constant(slow[None].astype(np.float32)))
        whole = op.unsqueeze(op.concat([half, half], 1), op.constant([0, 1]))
        return op.cos(whole), op.sin(whole)

    def attention(self, x, name, turn, mask, beam):
        heads, shared = self.c["num_attention_heads"], self.c["num_key_value_heads"]
        query, key, value = (self.heads(self.linear(x, f"{name}{part}_proj", True), count)
                             for part, count in (("q", heads), ("k", shared), ("v", shared)))
        query, key = self.rotate(query, turn), self.rotate(key, turn)
        key, value = (self.widened(self.kept(rows, f"{name}{part}", beam), heads // shared)
                      for part, rows in (("key", key), ("value", value)))
        y = op.transpose(op.scaled_dot_product_attention(query, key, value, mask), op.constant([0, 2, 1, 3]))
        return self.linear(op.reshape(y, op.constant([1, -1, heads * self.dim]), False), name + "o_proj")

    def heads(self, x, count):
        return op.transpose(op.reshape(x, op.constant([1, -1, count, self.dim]), False), op.constant([0, 2, 1, 3]))

    def rotate(self, x, turn):
        low, high = op.split(x, op.constant(3), 2).outputs()
        other = op.concat([op.multiply(high, op.constant(np.float32(-1))), low], 3)
        return op.add(op.multiply(x, turn[0]), op.multiply(other, turn[1]))

    def kept(self, rows, name, beam):
        """The state with these rows [1, heads, L, dim] behind it."""
        none = op.constant(np.zeros((1, self.c["num_key_value_heads"], 0, self.dim), np.float32))
        shape = ov.PartialShape([-1, self.c["num_key_value_heads"], -1, self.dim])
        past = op.gather(op.read_value(none, name, ov.Type.f32, shape), beam, op.constant(0))
        now = op.concat([past, rows], 2)
        self.sinks.append(op.assign(now, name))
        return now

    def widened(self, rows, times):
        many = op.broadcast(op.unsqueeze(rows, op.constant([2])), op.constant([1, 1, times, 1, 1]),
                            broadcast_spec="BIDIRECTIONAL")
        return op.reshape(many, op.constant([1, self.c["num_attention_heads"], -1, self.dim]), False)


class Language:
    """A compiled graph and its state."""

    def __init__(self, weight, config, dtype, threads):
        core = ov.Core()
        hints = {"INFERENCE_PRECISION_HINT": "bf16"}  # and the plugin's own choice for the cache: bytes
        if dtype == "fp32":
            hints = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32"}
        self.request = core.compile_model(Graph(weight, config, dtype == "int8").model(), "CPU", hints | {
            "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}).create_infer_request()
        self.length = 0

    def forget(self):
        self.request.reset_state()
        self.length = 0

    def __call__(self, ids):
        """The last word's logits."""
        new, total = len(ids), self.length + len(ids)
        mask = np.triu(np.full((new, total), -np.inf, np.float32), self.length + 1)
        out = self.request.infer({"ids": np.array([ids]), "positions": np.arange(self.length, total),
                                  "mask": mask[None, None], "beam": np.zeros(1, np.int32)})
        self.length = total
        return next(iter(out.values()))[0, 0]


def run(language, prompt, words):
    language.forget()
    clock = [time.perf_counter()]
    scores = language(prompt)
    clock.append(time.perf_counter())
    chosen = []
    for word in words:
        chosen.append(int(scores.argmax()))
        scores = language([word])
    clock.append(time.perf_counter())
    return {"prefill": clock[1] - clock[0], "decode": clock[2] - clock[1], "chosen": chosen}


def check():
    """Exits with 1 where the float32 logits differ from those of transformers' Qwen2 with the same weights."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(1)
    config = Qwen2Config(hidden_size=96, intermediate_size=160, num_hidden_layers=3, num_attention_heads=6,
                         num_key_value_heads=2, vocab_size=300, rope_theta=1e6, tie_word_embeddings=True)
    theirs = Qwen2ForCausalLM(config).eval()
    weights = {name: torch.randn_like(w) * .1 + (name.endswith("norm.weight")) for name, w in
               theirs.state_dict().items()}
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
    theirs.load_state_dict(weights)
    ours = Language(weights.__getitem__, config.to_dict(), "fp32", 2)
    ids = torch.randint(300, (1, 40))
    with torch.no_grad():
        expected = theirs(ids).logits[0].numpy()
    found = {at: ours(part) for at, part in ((29, ids[0, :30].tolist()), *((i, [int(ids[0, i])]) for i in range(30, 40)))}
    worst = max(float(np.abs(expected[at] - row).max() / np.abs(expected[at]).max()) for at, row in found.items())
    print(f"largest difference to transformers' logits, relative: {worst:.1e}")
    sys.exit(worst > 1e-4)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--prompt", type=int, default=1064, help="words of the prompt")
    parser.add_argument("--decode", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", choices=("bf16", "int8"), default="bf16")
    chosen = parser.parse_args()
    if chosen.check:
        check()
    file = safe_open(chosen.model / "model.safetensors", "pt")
    config = json.loads((chosen.model / "config.json").read_text())
    language = Language(file.get_tensor, config, chosen.dtype, chosen.threads)
    print(json.dumps({"name": "OpenVINO", "dtype": chosen.dtype, "threads": chosen.threads,
                      "openvino": ov.__version__.split("-")[0]}), flush=True)
    prompt, words = [WORD] * chosen.prompt, [WORD] * chosen.decode
    for line in sys.stdin:
        if line.strip() != "run":
            break
        print(json.dumps(run(language, prompt, words)), flush=True)


if __name__ == "__main__":
    main()
