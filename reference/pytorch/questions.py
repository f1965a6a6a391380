# SPDX-License-Identifier: Apache-2.0
"""Questions about a drawn scene, with the things they mean and the answer.

Sentences with and without a matching thing are made by the same code from the same forms, so that
the form never gives the answer away.
"""
from dataclasses import dataclass

import numpy as np

from scenes import COLORS, KINDS, SHAPES

NAMES = {"circle": ["circle"] * 7 + ["disc", "ball", "dot"], "square": ["square"] * 8 + ["box", "block"],
         "cross": ["cross"] * 6 + ["plus", "plus sign"], "ring": ["ring"] * 8 + ["donut"]}
WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
THINGS = ["thing", "object", "shape", "item", "one"]
OTHERS = ["mug", "cup", "car", "ball", "box", "flower", "shirt", "hat", "bottle", "apple", "chair",
          "bag", "book", "toy", "bird", "house", "fish", "leaf", "plate", "button", "balloon", "block"]
SHADES = {"grey": ["grey", "gray"], "cyan": ["cyan"] * 5 + ["turquoise"],
          "purple": ["purple"] * 6 + ["violet"]}
ASK_ONE = ["{}"] * 5 + ["segment {}"] * 3 + [
    "please segment {}", "where is {}?", "find {}", "show me {}", "can you segment {}?", "mark {}",
    "point at {}", "which one is {}?", "could you find {}?", "select {}", "highlight {}",
    "segment {} in the image", "please segment {} in this picture", "locate {}", "the mask of {}",
    "please find {}", "i am looking for {}", "give me {}"]
ASK_MANY = ["{}"] * 4 + ["segment {}"] * 4 + [
    "please segment {}", "where are {}?", "find {}", "show me {}", "can you segment {}?", "mark {}",
    "select {}", "highlight {}", "point at {}", "locate {}"]
ORDINALS = ["first", "second", "third", "fourth", "fifth"]
SIDES = {"left": (0, -1, ["leftmost {}", "{} on the left", "{} on the far left", "left {}",
                          "{} furthest to the left", "{} at the left"]),
         "right": (0, 1, ["rightmost {}", "{} on the right", "{} on the far right", "right {}",
                          "{} furthest to the right", "{} at the right"]),
         "top": (1, -1, ["topmost {}", "{} at the top", "top {}", "highest {}", "upper {}"]),
         "bottom": (1, 1, ["lowest {}", "{} at the bottom", "bottom {}", "bottommost {}", "lower {}"])}
RELATIONS = {(0, -1): ["left of", "to the left of", "on the left of"],
             (0, 1): ["right of", "to the right of", "on the right of"],
             (1, -1): ["above", "over", "higher than"], (1, 1): ["below", "under", "beneath"]}
IT, THEY, NOTHING, YES, NO = "It is", "They are", "Nothing matches.", "Yes.", "No."
SEG = "<|seg|>"


@dataclass
class Question:
    prompt: str
    kind: str
    targets: list             # things with a mask, in the order of the answer
    answer: str
    meant: list               # things the question is about (also counting and yes/no)


@dataclass
class Words:
    """A description: what it matches and how it is said."""
    color: int | None
    noun: str                 # kind name, "digit", "thing" or a word that says nothing about shape
    size: str = ""

    def matches(self, t):
        if self.color is not None and t.color != self.color:
            return False
        if self.noun == "digit":
            return t.kind >= len(SHAPES)
        return self.noun in ("thing", "other") or KINDS[t.kind] == self.noun

    def say(self, rng, many=False):
        color = "" if self.color is None else COLORS[self.color]
        color = str(rng.choice(SHADES[color])) if color in SHADES else color
        n = self.noun
        if n == "thing":
            noun = str(rng.choice(THINGS))
            noun += "s" if many else ""
        elif n == "other":
            noun = str(rng.choice(OTHERS)) + ("s" if many else "")
        elif n == "digit":
            noun = str(rng.choice(["digit", "number"])) + ("s" if many else "")
        elif n.isdigit():
            word = n if n == "1" else WORDS[int(n)]      # "the red one" is no digit
            many_of = {"1": "1s", "6": "sixes"}.get(n, word + "s")
            noun = str(rng.choice([many_of, f"{n}s"])) if many else str(rng.choice(
                [n, n, f"digit {n}", f"number {n}", f"number {n}", word]))
        else:
            noun = str(rng.choice(NAMES.get(n, [n])))
            noun = {"box": "boxes", "cross": "crosses", "plus": "pluses"}.get(
                noun, noun + "s") if many else noun
        return " ".join(w for w in (self.size, color, noun) if w)


def article(rng, phrase, chance=.85):
    return "the " + phrase if rng.random() < chance else phrase


def wrap(rng, forms, phrase):
    text = str(rng.choice(forms)).format(phrase)
    if rng.random() < .25:
        text = text[0].upper() + text[1:]
    u = rng.random()
    if text.endswith("?"):
        text = text[:-1] if u < .2 else text
    elif u < .2:
        text += "."
    return text


class Sheet:
    """One scene as the questions see it."""

    def __init__(self, scene, h, w):
        self.things = scene.things
        self.h, self.w = h, w
        self.area = np.array([(scene.owner == k).sum() for k in range(len(scene.things))])
        self.at = np.array([[t.cx, t.cy] for t in scene.things])
        self.unit = np.array([w, h])
        self.r = np.array([t.r for t in scene.things])

    def match(self, words):
        return [k for k, t in enumerate(self.things) if words.matches(t)]

    def in_order(self, which):
        return sorted(which, key=lambda k: (self.at[k, 0], self.at[k, 1]))


def describe(rng, sheet, present, plain=False):
    """A description that does (or does not) match something; misses are near misses where possible."""
    style = rng.random()
    nouns = {t.kind for t in sheet.things}
    colors = {t.color for t in sheet.things}
    if style < .34:
        form = "color kind"
    elif style < .58:
        form = "color"
    else:
        form = "kind"
    if rng.random() < .4:
        form = "color kind"

    def generic():
        u = rng.random()
        return "digit" if u < .1 else "other" if u < .3 and not plain else "thing"
    if present:
        t = sheet.things[rng.integers(len(sheet.things))]
        noun = KINDS[t.kind]
        if t.kind >= len(SHAPES) and rng.random() < .2:
            noun = "digit"
        if form == "kind":
            return Words(None, noun)
        if form == "color":
            g = generic()
            return Words(t.color, "thing" if g == "digit" and t.kind < len(SHAPES) else g)
        return Words(t.color, noun)
    for _ in range(12):
        near = rng.random() < .65
        if form == "color kind":
            u = rng.random()
            if near:
                c = rng.choice(list(colors)) if u < .75 else rng.integers(len(COLORS))
                k = rng.choice(list(nouns)) if u > .3 else rng.integers(len(KINDS))
            else:
                c, k = rng.integers(len(COLORS)), rng.integers(len(KINDS) if u < .25 else len(SHAPES))
            words = Words(int(c), KINDS[int(k)])
        elif form == "color":
            words = Words(int(rng.integers(len(COLORS))), generic())
        else:
            u = rng.random()
            words = Words(None, "digit" if u < .07 else
                          KINDS[int(rng.integers(len(KINDS) if u < .45 else len(SHAPES)))])
        if not sheet.match(words):
            return words
    return None


def kind_of(words):
    return ("attribute" if words.color is not None and words.noun not in ("thing", "other")
            else "color" if words.color is not None else "shape")


def one(rng, sheet, positive):
    words = describe(rng, sheet, positive)
    if not words:
        return None
    hit = sheet.match(words)
    if len(hit) > 1:
        return None
    prompt = wrap(rng, ASK_ONE, article(rng, words.say(rng)))
    if hit:
        return Question(prompt, kind_of(words), hit, f"{IT} {SEG}", hit)
    return Question(prompt, "nothing", [], NOTHING, [])


def many(rng, sheet, positive):
    words = describe(rng, sheet, positive)
    if not words:
        return None
    if words.noun == "thing" and rng.random() < .15 and positive:
        words = Words(None, "thing")
    hit = sheet.match(words)
    if positive and not 2 <= len(hit) <= 4:
        return None
    phrase = words.say(rng, many=True)
    u = rng.random()
    phrase = "all " + phrase if u < .25 else "all the " + phrase if u < .5 else article(rng, phrase, .9)
    prompt = wrap(rng, ASK_MANY, phrase)
    if hit:
        hit = sheet.in_order(hit)
        return Question(prompt, "plural", hit, THEY + f" {SEG}" * len(hit), hit)
    return Question(prompt, "nothing", [], NOTHING, [])


def group(rng, sheet, least):
    """A description with several members, for questions that choose among them."""
    for _ in range(6):
        words = describe(rng, sheet, True, plain=True)
        if rng.random() < .25:
            words = Words(None, "thing")
        hit = sheet.match(words)
        if len(hit) >= least:
            return words, hit
    return None, []


def size(rng, sheet, positive):
    words, hit = group(rng, sheet, 2)
    if not words:
        return None
    big = rng.random() < .5
    r, a = sheet.r[hit], sheet.area[hit].astype(float)
    order = np.argsort(-r if big else r)
    i, j = order[:2]
    if max(r[i], r[j]) / min(r[i], r[j]) < 1.2 or (a[i] > a[j] * 1.15) != big or (
            a[j] > a[i] * 1.15) == big:
        return None
    if rng.random() < .5:
        words.size = str(rng.choice(["largest", "biggest"] if big else ["smallest"]))
        kind = "superlative"
    else:
        words.size = str(rng.choice(["big", "large", "bigger", "larger"] if big else [
            "small", "little", "smaller"]))
        kind = "size"
    target = [hit[i]]
    return Question(wrap(rng, ASK_ONE, article(rng, words.say(rng), .95)), kind, target,
                    f"{IT} {SEG}", target)


def side(rng, sheet, positive):
    words, hit = group(rng, sheet, 1 if rng.random() < .15 else 2) if positive else (
        describe(rng, sheet, False, True), [])
    if not words:
        return None
    axis, sign, forms = SIDES[str(rng.choice(list(SIDES)))]
    phrase = str(rng.choice(forms)).format(words.say(rng))
    prompt = wrap(rng, ASK_ONE, article(rng, phrase, .95))
    if not positive:
        return Question(prompt, "nothing", [], NOTHING, [])
    x = sheet.at[hit, axis] * sign / sheet.unit[axis]
    order = np.argsort(-x)
    if len(hit) > 1 and x[order[0]] - x[order[1]] < .07:
        return None
    target = [hit[order[0]]]
    return Question(prompt, "superlative", target, f"{IT} {SEG}", target)


def ordinal(rng, sheet, positive):
    words, hit = group(rng, sheet, 2 if positive else 1)
    if not words or words.size:
        return None
    axis, sign, names = [(0, 1, ["left"]), (0, -1, ["right"]), (1, 1, ["top"]), (1, -1, ["bottom"])][
        rng.integers(4)]
    n = int(rng.integers(0, len(hit))) if positive else len(hit) + int(rng.integers(0, 2))
    if n > 4 or (not positive and n == 0):
        return None
    prompt = wrap(rng, ASK_ONE, article(rng, f"{ORDINALS[n]} {words.say(rng)} from the {names[0]}", .97))
    if not positive:
        return Question(prompt, "nothing", [], NOTHING, [])
    x = sheet.at[hit, axis] * sign / sheet.unit[axis]
    order = np.argsort(x)
    if np.min(np.diff(x[order])) < .05:
        return None
    target = [hit[order[n]]]
    return Question(prompt, "ordinal", target, f"{IT} {SEG}", target)


def related(sheet, target, anchor, axis, sign):
    """+1 clearly so, -1 clearly not, 0 arguable."""
    d = (sheet.at[target] - sheet.at[anchor]) / max(sheet.w, sheet.h)
    along, across = d[axis] * sign, abs(d[1 - axis])
    return 1 if along > .09 and along > .5 * across else -1 if along < .01 else 0


def relation(rng, sheet, positive):
    if len(sheet.things) < 2:
        return None
    axis, sign = list(RELATIONS)[rng.integers(4)]
    anchor_words = describe(rng, sheet, True, plain=True)
    anchor = sheet.match(anchor_words)
    if len(anchor) != 1:
        return None
    words = describe(rng, sheet, True, plain=True)
    if rng.random() < .3:
        words = Words(None, "thing")
    candidates = [k for k in sheet.match(words) if k != anchor[0]]
    if not candidates or (len(candidates) == 1 and positive and rng.random() < .3):
        return None
    verdicts = [related(sheet, k, anchor[0], axis, sign) for k in candidates]
    if 0 in verdicts or verdicts.count(1) != (1 if positive else 0):
        return None
    word = str(rng.choice(RELATIONS[axis, sign]))
    prompt = wrap(rng, ASK_ONE, article(
        rng, f"{words.say(rng)} {word} {article(rng, anchor_words.say(rng), .95)}", .95))
    if not positive:
        return Question(prompt, "nothing", [], NOTHING, [])
    target = [candidates[verdicts.index(1)]]
    return Question(prompt, "relation", target, f"{IT} {SEG}", target)


def exists(rng, sheet, positive):
    if rng.random() < .2 and len(sheet.things) > 1:
        return whether(rng, sheet, positive)
    words = describe(rng, sheet, positive, plain=rng.random() < .7)
    if not words:
        return None
    hit = sheet.match(words)
    if rng.random() < .65:
        say = words.say(rng)
        a = "an" if say[0] in "aeiou8" else "a"
        form = rng.choice(["is there {a} {p}?", "is there {a} {p} in the image?", "do you see {a} {p}?",
                           "does the picture show {a} {p}?"])
        text = str(form).format(a=a, p=say)
    else:
        form = rng.choice(["are there any {p}?", "do you see any {p}?", "are there {p}?"])
        text = str(form).format(p=words.say(rng, many=True))
    return Question(wrap(rng, ["{}"], text), "yesno", [], YES if hit else NO, hit)


def whether(rng, sheet, positive):
    axis, sign = list(RELATIONS)[rng.integers(4)]
    a, b = describe(rng, sheet, True, True), describe(rng, sheet, True, True)
    p, q = sheet.match(a), sheet.match(b)
    if len(p) != 1 or len(q) != 1 or p == q:
        return None
    if related(sheet, p[0], q[0], axis, sign) != (1 if positive else -1):
        return None
    text = f"is the {a.say(rng)} {rng.choice(RELATIONS[axis, sign])} the {b.say(rng)}?"
    return Question(wrap(rng, ["{}"], text), "yesno", [], YES if positive else NO, p)


def count(rng, sheet, positive):
    words = Words(None, "thing") if rng.random() < .2 else describe(
        rng, sheet, positive or rng.random() < .6, plain=True)
    if not words:
        return None
    hit = sheet.match(words)
    if len(hit) == 1 and rng.random() < .5:
        return None
    form = str(rng.choice(["how many {p} are there?", "how many {p} are in the image?", "how many {p}?",
                           "how many {p} do you see?", "count the {p}", "number of {p}"]))
    return Question(wrap(rng, ["{}"], form.format(p=words.say(rng, many=True))), "count", [],
                    str(len(hit)), hit)


# maker, weight, share of sentences that have a match
MIX = [(one, 4, .5), (many, 2, .65), (size, 1, 1), (side, 2, .75), (ordinal, 1.3, .75),
       (relation, 2, .7), (exists, 3, .5), (count, 2, .75)]


# For a lesson: the weights of all makers, and the shares of the first six among questions with a mask pass.
LESSONS = {"even": ([m[1] for m in MIX], [.3, .16, .1, .17, .1, .17]),
           "easy": ([14] + [m[1] for m in MIX[1:]], [.68, .14, .03, .08, .02, .05]),
           "hard": ([2, 2.5, 1.5, 3, 3, 3, 1.2, 2.5], [.16, .16, .14, .18, .18, .18]),
           "order": ([2.5, 5, 1, 2, 5, 2, 1.2, 5], [.16, .3, .08, .1, .28, .08]),
           "weak": ([2.5, 4, 1, 2, 4.5, 4, 1.2, 4], [.16, .24, .06, .1, .24, .2])}


def ask(rng, scene, h, w, amount, with_mask=2, lesson="even"):
    """`amount` questions; the first `with_mask` have masks."""
    sheet = Sheet(scene, h, w)
    weights, masked = (np.array(shares, float) for shares in LESSONS[lesson])
    first, out, seen = [], [], set()
    for tries in range(120):
        if len(first) == with_mask and len(first) + len(out) >= amount:
            break
        if len(first) < with_mask:
            make = MIX[rng.choice(6, p=masked) if tries < 20 else 0][0]
            positive = True
        else:
            make, _, share = MIX[rng.choice(len(MIX), p=weights / weights.sum())]
            positive = rng.random() < share
        for _ in range(8):                       # the same sign again: rejection must not tilt the balance
            question = make(rng, sheet, positive)
            if question is not None:
                break
        if question is None or question.prompt in seen:
            continue
        seen.add(question.prompt)
        (first if len(first) < with_mask else out).append(question)
    return first + out


class Asker:
    """Questions as token rows for the trainer: [questions, length] with -1 where nothing is."""

    def __init__(self, tokenizer_file, amount=10, length=24, with_mask=2, segs=4, lesson="even"):
        from tokenizers import Tokenizer
        self.tokenizer = Tokenizer.from_file(str(tokenizer_file))
        self.amount, self.length, self.with_mask, self.segs = amount, length, with_mask, segs
        self.lesson = lesson
        self.seg = self.tokenizer.token_to_id(SEG)
        self.tail = "<|im_end|>\n<|im_start|>assistant\n"

    def __call__(self, rng, scene, h, w):
        q, t = self.amount, self.length
        ids = np.zeros((q, t), np.int64)
        span = np.zeros((q, 2), np.int64)          # answer tokens: first, one past the last
        seg_at = np.full((q, self.segs), -1, np.int64)
        seg_of = np.full((q, self.segs), -1, np.int64)
        meant = np.zeros((q, 8), bool)
        n = 0
        for question in ask(rng, scene, h, w, q + 5, self.with_mask, self.lesson):
            before = self.tokenizer.encode("<|vision_end|>" + question.prompt + self.tail).ids
            after = self.tokenizer.encode(question.answer + "<|im_end|>").ids
            row = before + after
            if len(row) > t or n == q:
                continue
            if n < self.with_mask and not question.targets:
                break
            ids[n, :len(row)] = row
            span[n] = len(before), len(row)
            at = [i for i, x in enumerate(row) if x == self.seg]
            seg_at[n, :len(at)] = at
            seg_of[n, :len(at)] = question.targets
            meant[n, question.meant] = True
            n += 1
        return {"ids": ids, "span": span, "seg_at": seg_at, "seg_of": seg_of, "meant": meant}
