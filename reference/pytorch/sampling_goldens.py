# SPDX-License-Identifier: Apache-2.0
"""Writes tests/goldens/text/sampling.json: logits, settings and what transformers makes of them.

    .venv/bin/python reference/pytorch/sampling_goldens.py [--out tests/goldens/text]

The processors are the ones that GenerationMixin itself assembles for the settings, so their order is
transformers' (4.57.1), not ours. Logits are multiples of 1/64, exact in JSON and with many ties.
Top-p sorts, and torch's default sort leaves the order of equal logits to the CPU's vector unit; here it
is made stable, so that the file is the same on every machine.
A case: [settings, logits·64, history, processed probabilities (null where removed), greedy token].
"""
import argparse
import functools
import json
import pathlib
import random

import torch
from transformers import GenerationConfig, Qwen2Config, Qwen2ForCausalLM

SEED = 4
VOCABULARY = 40


def settings(rng, at):
    given = {"do_sample": at % 10 != 0}
    if given["do_sample"]:
        given["temperature"] = rng.choice([1.0, 0.7, 0.3, 1.5, 0.01, 2.25])
        given["top_k"] = rng.choice([0, 1, 2, 5, 20, 39, 40, 50])
        given["top_p"] = rng.choice([1.0, 0.95, 0.9, 0.5, 0.1, 0.001, 0.0])
    given["repetition_penalty"] = rng.choice([1.0, 1.0, 1.05, 1.3, 0.8, 2.0])
    return given


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parents[2] / "tests/goldens/text")
    out = parser.parse_args().out
    rng = random.Random(SEED)
    torch.sort = functools.partial(torch.sort, stable=True)
    # The model is never run: it only lends its _get_logits_processor.
    model = Qwen2ForCausalLM(Qwen2Config(vocab_size=VOCABULARY, hidden_size=8, intermediate_size=8,
                                         num_hidden_layers=1, num_attention_heads=1, num_key_value_heads=1))
    cases = []
    while len(cases) < 200:
        given = settings(rng, len(cases))
        spread = rng.choice([16, 128, 512])  # 16: a quarter of a unit, nearly all of them tied
        steps = [rng.randint(-spread, spread) for _ in range(VOCABULARY)]
        history = [rng.randrange(VOCABULARY) for _ in range(rng.choice([1, 3, 30]))]
        config = GenerationConfig(**given)
        processors = model._get_logits_processor(
            generation_config=config, input_ids_seq_length=len(history), encoder_input_ids=torch.tensor([history]),
            prefix_allowed_tokens_fn=None, logits_processor=[])
        logits = torch.tensor([steps], dtype=torch.float32) / 64
        scores = processors(torch.tensor([history]), logits)
        chances = torch.softmax(scores.double(), dim=-1)[0].tolist()
        kept = [None if score == float("-inf") else float(f"{chance:.7g}")
                for score, chance in zip(scores[0].tolist(), chances)]
        cases.append([given, steps, history, kept, int(scores.argmax())])
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    (out / "sampling.json").write_text(f"[\n{lines}\n]\n", encoding="ascii")
    print(f"{len(cases)} cases, {(out / 'sampling.json').stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
