# SPDX-License-Identifier: Apache-2.0
"""A small byte-level BPE with Qwen2's normaliser, splitting and special tokens, learned from the questions."""
import argparse
from pathlib import Path

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

import questions
import scenes

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>",
           "<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>",
           "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>",
           "<|seg|>", "<|mask|>", "<|yes|>", "<|no|>"]
SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
EXTRA = ["system", "user", "assistant", "You are a helpful assistant.", "\n", "What is this?",
         "The quick brown fox jumps over the lazy dog.", "a photo of the person with the table",
         questions.NOTHING, questions.YES, questions.NO, questions.IT, questions.THEY, "the and ing ion"]


def corpus(seed, amount=1500):
    for i in range(amount):
        s = scenes.scene((seed, i), 192, 192)
        for q in questions.ask(np.random.default_rng((seed, i)), s, 192, 192, 30):
            yield q.prompt
            yield " " + q.prompt.lower()
            yield q.answer.replace(questions.SEG, "")
    for _ in range(300):
        yield from EXTRA
    for word in (*scenes.COLORS, *scenes.SHAPES, *questions.WORDS, *questions.OTHERS, *questions.THINGS):
        for form in (word, " " + word, word.capitalize(), " " + word + "s"):
            yield from [form] * 60


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--out", type=Path, default=Path("build/tiny/tokenizer.json"))
    p.add_argument("--size", type=int, default=760)
    p.add_argument("--seed", type=int, default=77)
    a = p.parse_args()
    t = Tokenizer(models.BPE(byte_fallback=False, fuse_unk=False))
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(corpus(a.seed), trainers.BpeTrainer(
        vocab_size=a.size - len(SPECIAL), show_progress=False, min_frequency=2,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    t.add_special_tokens(SPECIAL)                 # after the words, in Qwen2-VL's order
    a.out.parent.mkdir(parents=True, exist_ok=True)
    t.save(str(a.out))
    print(t.get_vocab_size(), "tokens")


if __name__ == "__main__":
    main()
