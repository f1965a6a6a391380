# SPDX-License-Identifier: Apache-2.0
"""Pictures the training generator never made: small hand-laid-out illustrations and ray-marched solids.

Nothing here is shared with scenes.py. Flat pictures are painted with Pillow at four times the size and
shrunk; solid ones are distance fields marched in 3-D with soft shadows. Both know every object's mask.
"""
import argparse
import io
import json
import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

LICENSE = """CC0 1.0 Universal

The pictures and masks in this folder were made for this project by reference/pytorch/draw_foreign.py.
To the extent possible under law, their authors have waived all copyright and related or neighbouring
rights to them: https://creativecommons.org/publicdomain/zero/1.0/
"""
UP = 4


class Flat:
    """Paper that remembers which pixels belong to which named object."""

    def __init__(self, w, h, top, bottom=None):
        self.w, self.h = w, h
        bottom = bottom or top
        t = np.linspace(0, 1, h * UP)[:, None, None]
        rows = np.array(top) * (1 - t) + np.array(bottom) * t
        self.page = Image.fromarray(np.broadcast_to(rows, (h * UP, w * UP, 3)).astype(np.uint8))
        self.owner = Image.new("L", (w * UP, h * UP), 0)
        self.names = [""]

    def put(self, name, draw, color, shade=0.0):
        """draw(pen, value) paints the silhouette; shade darkens it towards the bottom right."""
        mask = Image.new("L", self.page.size, 0)
        draw(ImageDraw.Draw(mask), 255)
        paint = Image.new("RGB", self.page.size, color)
        if shade:
            y, x = np.mgrid[:self.h * UP, :self.w * UP]
            box = mask.getbbox()
            t = ((x - box[0]) / (box[2] - box[0]) + (y - box[1]) / (box[3] - box[1])) / 2
            light = np.clip(1 + shade * (.5 - t), 0, 2)[..., None]
            paint = Image.fromarray(np.clip(np.array(color) * light, 0, 255).astype(np.uint8))
        self.page.paste(paint, mask=mask)
        if name and name not in self.names:
            self.names.append(name)
        self.owner.paste(self.names.index(name) if name else 0, mask=mask)

    def detail(self, name, draw, color):
        """Paint on an object (a stalk, a window); it keeps belonging to `name`."""
        self.put(name, draw, color)

    def finish(self):
        masks = {}
        owner = np.asarray(self.owner).reshape(self.h, UP, self.w, UP)
        for k, name in enumerate(self.names[1:], 1):
            masks[name] = (owner == k).mean((1, 3)) > .5
        return self.page.resize((self.w, self.h), Image.LANCZOS), masks


def s(*numbers):
    return [n * UP for n in numbers]


def disc(x, y, r, ry=None):
    ry = ry or r
    return lambda pen, v: pen.ellipse(s(x - r, y - ry, x + r, y + ry), fill=v)


def bar(x0, y0, x1, y1, round_=0):
    return lambda pen, v: pen.rounded_rectangle(s(x0, y0, x1, y1), round_ * UP, fill=v)


def poly(*points):
    return lambda pen, v: pen.polygon([tuple(s(*p)) for p in points], fill=v)


def line(points, width):
    def draw(pen, v):
        pen.line([tuple(s(*p)) for p in points], fill=v, width=int(width * UP), joint="curve")
    return draw


def all_of(*draws):
    def draw(pen, v):
        for d in draws:
            d(pen, v)
    return draw


def starry(x, y, r, inner=.42, points=5, turn=-90):
    return poly(*[(x + (r if k % 2 == 0 else r * inner) * math.cos(math.radians(turn + 180 * k / points)),
                   y + (r if k % 2 == 0 else r * inner) * math.sin(math.radians(turn + 180 * k / points)))
                  for k in range(2 * points)])


def hearty(x, y, r):
    t = np.linspace(0, 2 * np.pi, 60)
    hx, hy = 16 * np.sin(t) ** 3, 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return poly(*[(x + a * r / 16, y - b * r / 16) for a, b in zip(hx, hy)])


def ringed(x, y, r, hole):
    def draw(pen, v):
        w = r - hole
        pen.ellipse(s(x - r, y - r, x + r, y + r), outline=v, width=int(w * UP))
    return draw


def written(text, x, y, size):
    def draw(pen, v):
        pen.text(tuple(s(x, y)), text, fill=v, anchor="mm", font=ImageFont.load_default(size * UP),
                 stroke_width=int(size * UP * .035), stroke_fill=v)
    return draw


RED, GREEN, BLUE, YELLOW = (212, 38, 40), (52, 150, 66), (38, 84, 200), (245, 205, 40)
ORANGE, PURPLE, PINK, BROWN = (240, 130, 30), (126, 62, 168), (244, 150, 190), (118, 72, 38)
BLACK, WHITE, GREY, CYAN = (22, 22, 26), (248, 248, 246), (128, 130, 132), (50, 200, 220)


# ---- flat pictures -----------------------------------------------------------------------------

def traffic_light():
    f = Flat(300, 360, (150, 190, 225), (214, 226, 232))
    f.put("", bar(140, 300, 160, 360), (70, 70, 74))
    f.put("", bar(95, 30, 205, 306, 24), (44, 46, 50))
    for name, y, c in (("red", 80, RED), ("yellow", 168, YELLOW), ("green", 256, GREEN)):
        f.put(name, disc(150, y, 38), c, .5)
    return f, [("the red circle", "attribute", ["red"]), ("segment the yellow circle", "attribute", ["yellow"]),
               ("where is the green circle?", "attribute", ["green"]),
               ("the circle at the top", "superlative", ["red"]),
               ("the lowest circle", "superlative", ["green"]),
               ("how many circles are there?", "count", "3"),
               ("is there a blue circle?", "yesno", "no")]


def balloons():
    f = Flat(420, 320, (120, 178, 232), (226, 240, 250))
    f.put("", poly((0, 320), (0, 280), (140, 262), (300, 284), (420, 268), (420, 320)), (126, 178, 92))
    for name, x, y, c in (("red", 92, 110, RED), ("yellow", 212, 84, YELLOW), ("purple", 330, 124, PURPLE)):
        f.put("", line([(x, y + 60), (x + 8, y + 110), (210, 276)], 1.5), (90, 90, 90))
        f.put(name, all_of(disc(x, y, 44, 54), poly((x - 8, y + 62), (x + 8, y + 62), (x, y + 50))), c, .55)
        f.put(name, disc(x - 15, y - 22, 7, 12), tuple(min(255, int(v + 70)) for v in c))
    return f, [("the red balloon", "color", ["red"]), ("the yellow balloon", "color", ["yellow"]),
               ("segment the purple balloon", "color", ["purple"]),
               ("the balloon on the right", "superlative", ["purple"]),
               ("all the balloons", "plural", ["red", "yellow", "purple"]),
               ("the pink balloon", "nothing", None), ("is there a yellow balloon?", "yesno", "yes")]


def fruit():
    f = Flat(400, 300, (238, 226, 204), (220, 200, 170))
    f.put("", disc(200, 214, 180, 66), (250, 250, 248))
    f.put("", disc(200, 210, 150, 50), (236, 238, 240))
    f.put("orange", disc(272, 160, 50), ORANGE, .6)
    f.put("apple", all_of(disc(140, 160, 40, 50), disc(172, 160, 40, 50)), RED, .7)
    f.detail("apple", line([(156, 118), (160, 96)], 5), BROWN)
    f.put("", poly((160, 102), (190, 84), (196, 96)), GREEN)
    f.put("plum", disc(212, 214, 36, 32), PURPLE, .6)
    return f, [("the red apple", "color", ["apple"]), ("the orange fruit", "color", ["orange"]),
               ("the purple thing", "color", ["plum"]), ("the thing on the far right", "superlative", ["orange"]),
               ("the red apple to the left of the orange circle", "relation", ["apple"]),
               ("the green apple on the left", "nothing", None)]


def cards():
    f = Flat(360, 280, (28, 92, 62))
    for x, a, name, kind, c in ((56, -6, "heart", hearty, RED), (180, 2, "star", starry, BLUE),
                                (304, 5, "black heart", hearty, BLACK)):
        r = math.radians(a)
        corner = [(x + u * math.cos(r) - v * math.sin(r), 140 + u * math.sin(r) + v * math.cos(r))
                  for u, v in ((-50, -86), (50, -86), (50, 86), (-50, 86))]
        f.put("", poly(*corner), (250, 249, 244))
        f.put(name, kind(x, 140, 36), c)
    return f, [("the red heart", "attribute", ["heart"]), ("the black heart", "attribute", ["black heart"]),
               ("where is the blue star?", "attribute", ["star"]),
               ("the hearts", "plural", ["heart", "black heart"]),
               ("the green heart", "nothing", None), ("how many hearts are there?", "count", "2"),
               ("the heart on the right", "superlative", ["black heart"])]


def target():
    f = Flat(320, 320, (224, 214, 190), (204, 190, 160))
    f.put("ring", ringed(118, 150, 84, 52), RED)
    f.put("middle", disc(118, 150, 26), BLUE)
    f.put("arrow", all_of(bar(228, 200, 246, 284), poly((206, 204), (268, 204), (237, 150))), BLACK)
    return f, [("the red ring", "attribute", ["ring"]), ("the blue circle", "attribute", ["middle"]),
               ("the black arrow", "attribute", ["arrow"]), ("the arrow", "shape", ["arrow"]),
               ("is there a yellow ring?", "yesno", "no"), ("the yellow arrow", "nothing", None)]


def numbers():
    f = Flat(420, 240, (30, 38, 56), (52, 60, 84))
    for n, x, c in (("7", 80, YELLOW), ("3", 210, CYAN), ("5", 340, PINK)):
        f.put(n, written(n, x, 122, 150), c)
    return f, [("the number 3", "shape", ["3"]), ("segment the yellow 7", "attribute", ["7"]),
               ("the pink digit", "attribute", ["5"]), ("the digit on the left", "superlative", ["7"]),
               ("how many digits are there?", "count", "3"), ("is there a 9?", "yesno", "no"),
               ("the second number from the left", "ordinal", ["3"])]


def house():
    f = Flat(420, 320, (160, 206, 240), (220, 236, 246))
    f.put("", bar(0, 258, 420, 320), (112, 168, 84))
    f.put("sun", disc(346, 66, 38), YELLOW)
    f.put("house", bar(92, 150, 252, 270), (240, 232, 214))
    f.put("roof", poly((74, 152), (270, 152), (172, 66)), RED, .4)
    f.put("door", bar(150, 196, 192, 270), BROWN)
    f.put("tree", disc(330, 196, 46, 52), GREEN, .5)
    f.put("", bar(322, 240, 338, 276), BROWN)
    return f, [("the yellow circle", "attribute", ["sun"]), ("the red triangle", "attribute", ["roof"]),
               ("the brown rectangle", "attribute", ["door"]),
               ("the yellow circle above the green circle", "relation", ["sun"]),
               ("the red circle", "nothing", None), ("the triangle", "shape", ["roof"])]


def car():
    f = Flat(420, 260, (196, 216, 232), (232, 236, 238))
    f.put("", bar(0, 206, 420, 260), (92, 94, 98))
    f.put("car", all_of(bar(70, 130, 350, 204, 22), poly((120, 134), (162, 78), (270, 78), (312, 134))), BLUE, .5)
    f.put("", poly((140, 132), (170, 90), (210, 90), (210, 132)), (214, 232, 244))
    f.put("", poly((222, 132), (222, 90), (264, 90), (292, 132)), (214, 232, 244))
    f.put("left wheel", disc(136, 204, 32), BLACK)
    f.put("right wheel", disc(284, 204, 32), BLACK)
    return f, [("the blue car", "color", ["car"]), ("the black circles", "plural", ["left wheel", "right wheel"]),
               ("the black circle on the left", "superlative", ["left wheel"]),
               ("the rightmost black circle", "superlative", ["right wheel"]),
               ("the red car", "nothing", None), ("how many black circles are there?", "count", "2")]


def signs():
    f = Flat(400, 300, (174, 200, 170), (206, 216, 190))
    for x in (90, 206, 318):
        f.put("", bar(x - 5, 130, x + 5, 300), (110, 112, 116))
    f.put("square", bar(48, 70, 132, 154, 6), BLUE)
    f.put("hexagon", poly(*[(206 + 52 * math.cos(k * math.pi / 3), 106 + 52 * math.sin(k * math.pi / 3))
                            for k in range(6)]), RED)
    f.put("triangle", poly((264, 150), (372, 150), (318, 56)), YELLOW)
    return f, [("the blue square", "attribute", ["square"]), ("the red hexagon", "attribute", ["hexagon"]),
               ("the yellow triangle", "attribute", ["triangle"]), ("the hexagon", "shape", ["hexagon"]),
               ("the first shape from the left", "ordinal", ["square"]),
               ("the shape right of the hexagon", "relation", ["triangle"]),
               ("the green square", "nothing", None), ("is there a red hexagon?", "yesno", "yes")]


def night():
    f = Flat(400, 300, (16, 20, 52), (58, 44, 92))
    rng = np.random.default_rng(4)
    for _ in range(40):
        x, y = rng.uniform(0, 400), rng.uniform(0, 200)
        f.put("", disc(x, y, rng.uniform(.6, 1.5)), (220, 220, 240))
    f.put("moon", disc(304, 84, 46), (244, 243, 238))
    f.put("star", starry(120, 96, 50), YELLOW)
    f.put("", poly((0, 300), (0, 250), (110, 206), (230, 256), (330, 222), (400, 250), (400, 300)), (20, 22, 34))
    return f, [("the yellow star", "attribute", ["star"]), ("the white circle", "attribute", ["moon"]),
               ("the star", "shape", ["star"]), ("the circle right of the star", "relation", ["moon"]),
               ("the white star", "nothing", None), ("is there a star?", "yesno", "yes")]


def flags():
    f = Flat(420, 260, (240, 240, 238))
    f.put("cross box", bar(30, 50, 190, 210), (244, 244, 242))
    f.put("", bar(30, 50, 190, 210), RED)
    f.put("cross", all_of(bar(96, 76, 124, 184), bar(56, 116, 164, 144)), WHITE)
    f.put("", bar(230, 50, 400, 210), (246, 222, 120))
    f.put("circle", disc(315, 130, 52), GREEN)
    return f, [("the white cross", "attribute", ["cross"]), ("the green circle", "attribute", ["circle"]),
               ("the cross", "shape", ["cross"]), ("the blue cross", "nothing", None),
               ("is there a green circle?", "yesno", "yes")]


def fish():
    f = Flat(420, 300, (40, 120, 176), (18, 66, 120))
    for x in (60, 180, 370):
        f.put("", line([(x, 300), (x - 8, 262), (x + 6, 226), (x - 4, 196)], 7), (40, 110, 84))

    def swim(name, x, y, k, c):
        f.put(name, all_of(disc(x, y, 52 * k, 30 * k), poly((x + 42 * k, y), (x + 82 * k, y - 30 * k),
                                                          (x + 82 * k, y + 30 * k))), c, .5)
        f.put(name, disc(x - 28 * k, y - 6 * k, 5 * k), (20, 20, 20))
    swim("orange", 128, 96, 1.1, ORANGE)
    swim("yellow", 280, 190, 1.0, YELLOW)
    swim("pink", 110, 228, .75, PINK)
    return f, [("the orange fish", "color", ["orange"]), ("the yellow fish", "color", ["yellow"]),
               ("the pink fish", "color", ["pink"]), ("the fish on the right", "superlative", ["yellow"]),
               ("the smallest fish", "superlative", ["pink"]), ("the fish at the top", "superlative", ["orange"]),
               ("the green fish", "nothing", None), ("the red fish", "nothing", None)]


# ---- solids ------------------------------------------------------------------------------------

class Solid:
    """Named distance fields above a table, marched from a fixed camera."""

    def __init__(self, w, h, table, wall, eye=(0, 2.4, -6.2), look=(0, .62, 0), sun=(-.5, 1, -.55), wood=0.0):
        self.w, self.h, self.table, self.wall, self.wood = w, h, table, wall, wood
        self.eye, self.look = np.array(eye), np.array(look)
        self.sun = np.array(sun) / np.linalg.norm(sun)
        self.things = []

    def add(self, name, field, color, shine=.35):
        self.things.append((name, field, np.array(color) / 255, shine))

    def fields(self, p):
        return np.stack([p[..., 1]] + [f(p) for _, f, _, _ in self.things])

    def march(self, o, d, steps=90, far=24):
        """Distance along each ray; rays that have arrived drop out."""
        t, going = np.zeros(len(o)), np.arange(len(o))
        for _ in range(steps):
            gap = self.fields(o[going] + t[going, None] * d[going]).min(0)
            t[going] = np.minimum(t[going] + np.clip(gap, -.2, 1.5) * .92, far)
            going = going[(np.abs(gap) > 2e-3) & (t[going] < far)]
            if not len(going):
                break
        return t

    def finish(self):
        up = 2
        y, x = np.mgrid[:self.h * up, :self.w * up]
        forward = self.look - self.eye
        forward /= np.linalg.norm(forward)
        right = np.cross([0, 1, 0], forward)
        right /= np.linalg.norm(right)
        over = np.cross(forward, right)
        k = .76 / (self.h * up)
        d = (forward + ((x + .5 - self.w * up / 2) * k)[..., None] * right
             - ((y + .5 - self.h * up / 2) * k)[..., None] * over)
        d /= np.linalg.norm(d, axis=-1, keepdims=True)
        d = d.reshape(-1, 3)
        o = np.broadcast_to(self.eye, d.shape)
        t = self.march(o, d)
        p = o + t[..., None] * d
        all_ = self.fields(p)
        which = all_.argmin(0)
        hit = (all_.min(0) < .03) & (t < 23)
        e = 1e-3
        normal = np.stack([self.fields(p + np.eye(3)[i] * e).min(0) - self.fields(p - np.eye(3)[i] * e).min(0)
                           for i in range(3)], -1)
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-9
        color = np.broadcast_to(np.array(self.table) / 255, p.shape).copy()
        if self.wood:
            grain = np.sin(p[..., 0] * 3 + .6 * np.sin(p[..., 2] * 2.2)) + .5 * np.sin(p[..., 0] * 17)
            color *= (1 + self.wood * grain)[..., None]
        shine = np.full(t.shape, .05)
        for k, (_, _, c, g) in enumerate(self.things, 1):
            color[which == k], shine[which == k] = c, g
        # soft shadow: the narrowest gap on the way to the light
        light, s_ = np.ones(t.shape), np.full(t.shape, .05)
        q = p + normal * .01
        near = np.nonzero(hit)[0]
        for _ in range(32):
            gap = self.fields(q[near] + s_[near, None] * self.sun).min(0)
            light[near] = np.minimum(light[near], np.clip(9 * gap / s_[near], 0, 1))
            s_[near] += np.clip(gap, .03, .5)
            near = near[(light[near] > .01) & (s_[near] < 6)]
        diffuse = np.clip(normal @ self.sun, 0, 1) * light
        sky = .5 + .5 * normal[..., 1]
        halfway = self.sun - d
        halfway /= np.linalg.norm(halfway, axis=-1, keepdims=True)
        gloss = np.clip((normal * halfway).sum(-1), 0, 1) ** 40 * light * shine
        out = color * (.42 * sky + .72 * diffuse)[..., None] + gloss[..., None]
        fade = np.repeat(np.linspace(1, .86, self.h * up), self.w * up)[:, None]
        out = np.where(hit[..., None], out, np.array(self.wall) / 255 * fade)
        out = np.clip(out, 0, 1).reshape(self.h, up, self.w, up, 3).mean((1, 3))
        owner = np.where(hit, which, 0).reshape(self.h, up, self.w, up)
        masks = {name: (owner == k).mean((1, 3)) >= .5 for k, (name, *_) in enumerate(self.things, 1)}
        return Image.fromarray((out * 255 + .5).astype(np.uint8)), masks


def ball(x, z, r, y=None):
    c = np.array([x, r if y is None else y, z])
    return lambda p: np.linalg.norm(p - c, axis=-1) - r


def cube(x, z, a, turn=0.5, b=None, c=None):
    b, c = b or a, c or a
    ct, st = math.cos(turn), math.sin(turn)

    def field(p):
        u, v, w = p[..., 0] - x, p[..., 1] - b, p[..., 2] - z
        q = np.abs(np.stack([u * ct - w * st, v, u * st + w * ct], -1)) - np.array([a, b, c]) + .06
        return np.linalg.norm(np.maximum(q, 0), axis=-1) + np.minimum(q.max(-1), 0) - .06
    return field


def can(x, z, r, h):
    def field(p):
        u = np.hypot(p[..., 0] - x, p[..., 2] - z) - r + .05
        v = np.abs(p[..., 1] - h / 2) - h / 2 + .05
        return np.hypot(np.maximum(u, 0), np.maximum(v, 0)) + np.minimum(np.maximum(u, v), 0) - .05
    return field


def cone(x, z, r, h):
    n = math.hypot(r, h)

    def field(p):
        u = np.hypot(p[..., 0] - x, p[..., 2] - z)
        return np.maximum(((p[..., 1] - h) * r + u * h) / n, -p[..., 1])
    return field


def donut(x, z, r, thick):
    def field(p):
        u = np.hypot(p[..., 0] - x, p[..., 2] - z) - r
        return np.hypot(u, p[..., 1] - thick) - thick
    return field


def mug(x, z, r, h, side=1):
    outer, inner = can(x, z, r, h), can(x, z, r * .84, 2 * h)

    def field(p):
        hole = np.maximum(inner(p), .12 - p[..., 1])
        cup = np.maximum(outer(p), -hole)
        u = np.hypot(p[..., 0] - x - side * r, p[..., 1] - h * .52) - h * .3
        handle = np.maximum(np.hypot(u, p[..., 2] - z) - .1, -(side * (p[..., 0] - x) - r * .9))
        return np.minimum(cup, handle)
    return field


def demo():
    f = Solid(384, 296, (188, 150, 112), (206, 216, 222))
    f.add("red ball", ball(-1.75, -.2, .78), RED)
    f.add("blue cube", cube(.2, .9, .66, .45), BLUE, .2)
    f.add("yellow ball", ball(1.75, -.5, .62), YELLOW)
    f.add("green cone", cone(-.35, -1.35, .5, 1.15), GREEN, .1)
    return f, [("segment the red ball", "attribute", ["red ball"]), ("the yellow ball", "attribute", ["yellow ball"]),
               ("the blue box", "color", ["blue cube"]), ("the green thing", "color", ["green cone"]),
               ("the balls", "plural", ["red ball", "yellow ball"]),
               ("the purple ball", "nothing", None),
               ("the object on the far left", "superlative", ["red ball"]),
               ("is there a red ball?", "yesno", "yes"), ("how many objects are there?", "count", "4")]


def mugs():
    f = Solid(420, 300, (176, 168, 158), (228, 226, 220))
    f.add("red", mug(-1.8, 0, .62, 1.25), RED, .5)
    f.add("white", mug(0, .3, .6, 1.2), WHITE, .4)
    f.add("blue", mug(1.75, -.1, .62, 1.25), BLUE, .5)
    return f, [("the red mug", "color", ["red"]), ("the blue mug", "color", ["blue"]),
               ("the white mug", "color", ["white"]), ("the mug on the left", "superlative", ["red"]),
               ("the green mug", "nothing", None), ("the second mug from the left", "ordinal", ["white"])]


def marbles():
    f = Solid(400, 300, (60, 64, 72), (96, 102, 112))
    f.add("orange", ball(-1.7, .2, .72), ORANGE, .6)
    f.add("green", ball(.05, -.6, .56), GREEN, .6)
    f.add("cyan", ball(1.6, .4, .8), CYAN, .6)
    return f, [("the orange ball", "attribute", ["orange"]), ("the green ball", "attribute", ["green"]),
               ("the cyan circle", "attribute", ["cyan"]), ("the largest ball", "superlative", ["cyan"]),
               ("the smallest ball", "superlative", ["green"]),
               ("all the balls", "plural", ["orange", "green", "cyan"]),
               ("the red ball", "nothing", None), ("is there a cyan ball?", "yesno", "yes")]


def toys():
    f = Solid(420, 300, (214, 206, 188), (238, 232, 220))
    f.add("purple", cube(-1.7, .1, .62, .3), PURPLE, .2)
    f.add("donut", donut(.1, -.5, .58, .26), PINK, .4)
    f.add("green", can(1.7, .2, .55, 1.3), GREEN, .3)
    return f, [("the purple box", "color", ["purple"]), ("the pink donut", "attribute", ["donut"]),
               ("the green object", "color", ["green"]), ("the thing on the right", "superlative", ["green"]),
               ("the black donut", "nothing", None), ("the green object right of the pink ring", "relation", ["green"])]


def two_reds():
    f = Solid(400, 300, (150, 170, 150), (208, 220, 214))
    f.add("left", ball(-1.6, 0, .7), RED, .5)
    f.add("right", ball(1.6, 0, .7), RED, .5)
    f.add("box", cube(0, .4, .56, .6), YELLOW, .2)
    return f, [("the red ball on the left", "superlative", ["left"]),
               ("the red ball on the right", "superlative", ["right"]),
               ("the red ball right of the yellow box", "relation", ["right"]),
               ("the red ball left of the yellow thing", "relation", ["left"]),
               ("the red balls", "plural", ["left", "right"]), ("the yellow box", "color", ["box"]),
               ("how many red balls are there?", "count", "2"), ("the blue balls", "nothing", None)]


def night_table():
    f = Solid(360, 360, (64, 46, 34), (38, 40, 54), wood=.12, sun=(.6, 1, -.4))
    f.add("white", ball(-1.1, -.3, .7), WHITE, .4)
    f.add("red", can(1.1, -.2, .55, 1.5), RED, .4)
    return f, [("the white ball", "attribute", ["white"]), ("the red bottle", "color", ["red"]),
               ("the white circle", "attribute", ["white"]), ("the yellow ball", "nothing", None),
               ("is there a white ball?", "yesno", "yes")]


def cones():
    f = Solid(420, 300, (104, 108, 112), (170, 196, 214))
    f.add("a", cone(-1.9, 0, .62, 1.5), ORANGE, .1)
    f.add("b", cone(0, .2, .62, 1.5), ORANGE, .1)
    f.add("c", ball(1.8, 0, .7), BLUE, .4)
    return f, [("the blue ball", "attribute", ["c"]), ("the orange things", "plural", ["a", "b"]),
               ("the leftmost orange object", "superlative", ["a"]),
               ("the orange object on the right", "superlative", ["b"]),
               ("the pink ball", "nothing", None)]


def bricks():
    f = Solid(400, 300, (222, 222, 226), (240, 240, 242))
    f.add("red", cube(-1.6, .2, .85, .2, .45, .5), RED, .4)
    f.add("yellow", cube(.4, .7, .5, -.3, .9, .5), YELLOW, .4)
    f.add("black", cube(1.8, -.6, .55, .7, .4, .5), BLACK, .4)
    return f, [("the red block", "color", ["red"]), ("the yellow block", "color", ["yellow"]),
               ("the black block", "color", ["black"]), ("the leftmost block", "superlative", ["red"]),
               ("the green block", "nothing", None), ("the yellow block right of the red block", "relation", ["yellow"])]


PICTURES = [demo, mugs, marbles, toys, two_reds, night_table, cones, bricks, traffic_light, balloons, fruit,
            cards, target, numbers, house, car, signs, night, flags, fish]


def small(picture, always_png):
    """PNG where it stays small, else JPEG: at most 40 KB."""
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    if file.tell() <= 40000 or always_png:
        return "png", file.getvalue()
    for quality in range(92, 40, -4):
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=quality)
        if file.tell() <= 40000:
            return "jpg", file.getvalue()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--out", type=Path, default=Path("examples/images"))
    p.add_argument("--only", help="one picture by name, files only")
    a = p.parse_args()
    (a.out / "truth").mkdir(parents=True, exist_ok=True)
    (a.out / "LICENSE").write_text(LICENSE)
    listed = []
    for make in PICTURES:
        if a.only and make.__name__ != a.only:
            continue
        board, asked = make()
        picture, masks = board.finish()
        ending, content = small(picture, make is demo)
        name = f"{make.__name__}.{ending}"
        (a.out / name).write_bytes(content)
        used, entries = {}, []
        for prompt, kind, want in asked:
            files = []
            for k in want if isinstance(want, list) else []:
                files.append(used.setdefault(k, f"truth/{make.__name__}-{len(used)}.png"))
                Image.fromarray(masks[k]).save(a.out / files[-1], optimize=True)
            answer = "nothing" if kind == "nothing" else want if isinstance(want, str) else ""
            entries.append({"prompt": prompt, "kind": kind, "masks": files, "answer": answer})
        listed.append({"image": name, "width": picture.width, "height": picture.height, "questions": entries})
    if a.only:
        return
    (a.out / "questions.json").write_text(json.dumps({"version": 1, "scenes": listed}, indent=1) + "\n")


if __name__ == "__main__":
    main()
