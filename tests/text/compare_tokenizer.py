# SPDX-License-Identifier: Apache-2.0
"""Compares `stamp tokenize` with transformers on fresh random strings, both readings, and decoding.

    .venv/bin/python tests/text/compare_tokenizer.py --stamp build/stamp [--tokenizer DIR] [--count N] [--seed S]

Exits 1 and shows the first differences when there are any. The committed goldens (see
reference/pytorch/tokenizer_goldens.py) are a fixed sample of the same strings.
"""
import argparse
import json
import pathlib
import random
import subprocess
import sys

import transformers

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "reference/pytorch"))
import tokenizer_goldens  # noqa: E402


def random_string(rng):
    return "".join(rng.choice(tokenizer_goldens.PIECES) if rng.random() < 0.4 else tokenizer_goldens.random_point(rng)
                   if rng.random() < 0.8 else chr(rng.choice([rng.randrange(0xD800), rng.randrange(0xE000, 0x110000)]))
                   for _ in range(rng.randint(1, 24)))


def tokenize(command, rows):
    done = subprocess.run(command, input="".join(json.dumps(row) + "\n" for row in rows), text=True,
                          capture_output=True, encoding="utf-8", check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.split("\n") if line]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stamp", required=True)
    parser.add_argument("--tokenizer", default=str(ROOT / "tests/goldens/text/tokenizer"))
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rng = random.Random(given.seed)
    strings = list(dict.fromkeys(random_string(rng) for _ in range(given.count)))
    oracle = transformers.AutoTokenizer.from_pretrained(given.tokenizer)
    size = len(oracle)
    ids = [[rng.randrange(size) for _ in range(rng.randint(1, 12))] for _ in range(given.count // 4)]
    command = [given.stamp, "tokenize", given.tokenizer]
    checks = [
        ("as text", strings, tokenize(command, strings),
         oracle(strings, split_special_tokens=True)["input_ids"]),
        ("as control", strings, tokenize(command + ["--allow-special"], strings), oracle(strings)["input_ids"]),
        ("decoded", ids, tokenize(command + ["--decode"], ids), [oracle.decode(row) for row in ids]),
    ]
    failed = False
    for name, given_rows, found, expected in checks:
        different = [row for row in zip(given_rows, found, expected) if row[1] != row[2]]
        failed |= bool(different) or len(found) != len(expected)
        print(f"{name}: {len(given_rows)} compared, {len(different)} differ")
        for row, ours, theirs in different[:5]:
            print(f"  {json.dumps(row)}\n    stamp        {ours}\n    transformers {theirs}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
