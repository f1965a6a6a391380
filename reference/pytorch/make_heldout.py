# SPDX-License-Identifier: Apache-2.0
"""Writes drawn evaluation scenes (seeds that training never sees) with truth masks and questions.json.

Pictures have sizes and aspect ratios of their own, so they pass through the image processor's resize.
A question without a match has a twin in the same scene: the same sentence form, with a match.
"""
import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

import questions as q
import scenes

ORDER = ["pair", "superlative", "attribute", "yes", "plural", "relation", "color", "count", "no", "ordinal",
         "size", "shape"]


def pair(rng, sheet):
    """Two questions of one form: the description of a thing that is there, and of one that is not."""
    for _ in range(20):
        words = q.describe(rng, sheet, True, plain=True)
        if len(sheet.match(words)) != 1 or (words.color is None and rng.random() < .6):
            continue
        seed, form = rng.integers(1 << 30), str(rng.choice(q.ASK_ONE))
        for _ in range(20):
            color, noun = words.color, words.noun
            if color is not None and (rng.random() < .6 or noun in ("thing", "digit")):
                color = int(rng.integers(len(scenes.COLORS)))
            else:
                low, high = (10, 20) if noun.isdigit() else (0, 10)
                noun = scenes.KINDS[int(rng.integers(low, high))]
            other = q.Words(color, noun)
            if not sheet.match(other):
                break
        else:
            continue
        made = []
        for w in (words, other):                    # the same random choices: the same form
            r = np.random.default_rng(seed)
            made.append(q.wrap(r, [form], q.article(r, w.say(np.random.default_rng(seed)))))
        hit = sheet.match(words)
        return [q.Question(made[0], "attribute", hit, f"{q.IT} {q.SEG}", hit),
                q.Question(made[1], "nothing", [], q.NOTHING, [])]
    return []


def wanted(rng, sheet, kind):
    makers = {"attribute": q.one, "color": q.one, "shape": q.one, "superlative": q.side, "size": q.size,
              "relation": q.relation, "ordinal": q.ordinal, "plural": q.many, "count": q.count,
              "yes": q.exists, "no": q.exists}
    if kind == "pair":
        return pair(rng, sheet)
    for _ in range(30):
        maker = q.size if kind == "superlative" and rng.random() < .25 else makers[kind]
        made = maker(rng, sheet, kind != "no")
        if made and made.kind == {"yes": "yesno", "no": "yesno"}.get(kind, kind):
            return [made]
    return []


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--scenes", type=int, default=1000)
    p.add_argument("--seed", type=int, default=900001)
    a = p.parse_args()
    (a.out / "truth").mkdir(parents=True, exist_ok=True)
    listed, turn = [], 0
    for i in range(a.scenes):
        rng = np.random.default_rng((a.seed, i, 1))
        area, aspect = rng.uniform(240, 400) ** 2, np.exp(rng.uniform(-.5, .5))
        w, h = (int(round((area * s) ** .5 / 4)) * 4 for s in (aspect, 1 / aspect))
        s = scenes.scene((a.seed, i), h, w, cell=16 * (h * w) ** .5 / 320)
        sheet = q.Sheet(s, h, w)
        Image.fromarray(s.image).save(a.out / f"{i:04d}.png")
        entries, saved = [], {}
        for _ in range(len(ORDER)):
            if len(entries) >= 3:
                break
            kind = ORDER[turn % len(ORDER)]
            turn += 1
            made = wanted(rng, sheet, kind)
            for question in made:
                names = []
                for k in question.targets:
                    name = saved.setdefault(k, f"truth/{i:04d}-{k}.png")
                    Image.fromarray(s.owner == k).save(a.out / name)
                    names.append(name)
                answer = {"Yes.": "yes", "No.": "no", q.NOTHING: "nothing"}.get(
                    question.answer, "" if question.targets else question.answer)
                entries.append({"prompt": question.prompt, "kind": question.kind, "masks": names,
                                "answer": answer, **({"pair": True} if kind == "pair" else {})})
        listed.append({"image": f"{i:04d}.png", "width": w, "height": h, "questions": entries})
    (a.out / "questions.json").write_text(json.dumps({"version": 1, "scenes": listed}, indent=1) + "\n")


if __name__ == "__main__":
    main()
