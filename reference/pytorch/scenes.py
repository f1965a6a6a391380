# SPDX-License-Identifier: Apache-2.0
"""Drawn scenes: coloured shapes and digits with their visible masks, heavily randomised.

A scene is a pure function of its seed. Shapes are signed distance functions (pixels), so one array
gives the antialiased fill, the outline and a soft shadow.
"""
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

COLORS = ["red", "green", "blue", "yellow", "orange", "purple", "pink", "brown", "black", "white",
          "grey", "cyan"]
SHAPES = ["circle", "square", "rectangle", "triangle", "star", "hexagon", "cross", "heart", "ring",
          "arrow"]
DIGITS = [str(d) for d in range(10)]
KINDS = SHAPES + DIGITS
CELL = 16                     # pixels a side of one mask cell
FINE = 4                      # sub-cells a side in the soft truth
MOST = 8                      # objects in a scene at most

# Hue (degrees), saturation and value ranges, with gaps between names that people would argue about.
HSV = {"red": (-8, 8, .72, 1, .62, 1), "green": (95, 150, .5, 1, .38, .85),
       "blue": (212, 240, .62, 1, .5, 1), "yellow": (48, 60, .7, 1, .85, 1),
       "orange": (22, 36, .8, 1, .88, 1), "purple": (266, 288, .45, .95, .42, .85),
       "pink": (318, 348, .28, .58, .88, 1), "brown": (14, 32, .5, .82, .28, .52),
       "black": (0, 360, 0, .5, .02, .12), "white": (0, 360, 0, .05, .93, 1),
       "grey": (0, 360, 0, .08, .4, .66), "cyan": (176, 191, .5, 1, .78, 1)}


@dataclass
class Thing:
    kind: int                 # index into KINDS
    color: int                # index into COLORS
    cx: float                 # centre and half extent, pixels of the drawn image
    cy: float
    r: float


@dataclass
class Scene:
    image: np.ndarray         # H, W, 3 uint8
    owner: np.ndarray         # H, W int8: index of the visible thing, -1 for background
    cover: np.ndarray         # things, H/4, W/4 uint8: visible coverage
    things: list


def hsv(h, s, v):
    h = (h % 360) / 60
    c = v * s
    x = c * (1 - abs(h % 2 - 1))
    rgb = [(c, x, 0), (x, c, 0), (0, c, x), (0, x, c), (x, 0, c), (c, 0, x)][int(h) % 6]
    return np.array(rgb, np.float32) + np.float32(v - c)


def paint(rng, name):
    a = HSV[name]
    return hsv(rng.uniform(a[0], a[1]), rng.uniform(a[2], a[3]), rng.uniform(a[4], a[5]))


# ---- shapes ------------------------------------------------------------------------------------

def polygon_arms(u, v, r, inner, arms):
    """A star: fold the plane onto one half arm, then one straight edge is left."""
    a = np.arctan2(u, -v)
    s = np.pi / arms
    a = np.abs((a + s) % (2 * s) - s)
    rho = np.hypot(u, v)
    x, y = rho * np.cos(a), rho * np.sin(a)
    ix, iy = inner * r * np.cos(s), inner * r * np.sin(s)
    nx, ny = iy, r - ix
    return ((x - r) * nx + y * ny) / np.hypot(nx, ny)


def half_planes(u, v, r, sides):
    d = None
    for k in range(sides):
        a = 2 * np.pi * k / sides + np.pi / 2
        e = u * np.cos(a) + v * np.sin(a) - r * np.cos(np.pi / sides)
        d = e if d is None else np.maximum(d, e)
    return d


def box(u, v, a, b):
    return np.maximum(np.abs(u) - a, np.abs(v) - b)


def heart(u, v, r):
    x, y = np.abs(u) / (1.6 * r), .55 - v / (1.6 * r)
    round_part = np.hypot(x - .25, y - .75) - np.sqrt(2) / 4
    m = .5 * np.maximum(x + y, 0)
    straight = np.sqrt(np.minimum(x * x + (y - 1) ** 2, (x - m) ** 2 + (y - m) ** 2))
    return np.where(x + y > 1, round_part, straight * np.sign(x - y)) * 1.6 * r


def arrow(u, v, r, shaft, head, width):
    # points to +u; the head is a triangle of length `head`, the rest a bar
    tip, back = r, r - head * r
    slope = np.hypot(head, width)
    h = np.maximum(((u - tip) * width + np.abs(v) * head) / slope, back - u)
    s = np.maximum(np.abs(v) - shaft * r, np.maximum(-r - u, u - back - 1))
    return np.minimum(h, s)


def arc(cx, cy, rx, ry, a0, a1, n=9):
    t = np.radians(np.linspace(a0, a1, n))
    return [(cx + rx * np.cos(a), cy + ry * np.sin(a)) for a in t]


# Pen strokes of the digits in a box of x -.55..55, y -1..1 (y down).
STROKES = {
    "0": [arc(0, 0, .55, .95, 0, 360, 17)],
    "1": [[(-.3, -.6), (.08, -.95), (.08, .95)]],
    "2": [arc(0, -.42, .5, .52, 180, 380, 9) + [(-.52, .92), (.55, .92)]],
    "3": [arc(-.03, -.47, .5, .48, 200, 450, 9), arc(-.03, .46, .55, .48, 270, 520, 9)],
    "4": [[(.28, .95), (.28, -.95), (-.55, .4), (.58, .4)]],
    "5": [[(.48, -.92), (-.4, -.92), (-.46, -.08)] + arc(-.02, .36, .54, .58, 230, 500, 10)],
    "6": [[(.32, -.92), (-.32, -.1)] + arc(0, .4, .5, .53, 190, 550, 14)],
    "7": [[(-.52, -.92), (.52, -.92), (-.12, .95)]],
    "8": [arc(0, -.47, .43, .46, 90, 450, 14), arc(0, .45, .52, .5, 270, 630, 14)],
    "9": [arc(0, -.4, .5, .53, 10, 370, 14) + [(.32, .1), (-.25, .94)]],
}


def strokes(u, v, r, digit, pen):
    d = np.full(u.shape, 1e9, np.float32)
    for line in STROKES[digit]:
        p = np.array(line, np.float32) * (r * .86)
        for a, b in zip(p[:-1], p[1:]):
            e = b - a
            t = np.clip(((u - a[0]) * e[0] + (v - a[1]) * e[1]) / max(float(e @ e), 1e-6), 0, 1)
            np.minimum(d, (u - a[0] - t * e[0]) ** 2 + (v - a[1] - t * e[1]) ** 2, out=d)
    return np.sqrt(d) - pen * r


def glyph(shape, x, y, r, digit, turn, bold):
    """A digit of Pillow's own font; only coverage is known, so the distance is a steep ramp."""
    side = int(4 * r) + 8
    page = Image.new("L", (side, side), 0)
    pen = ImageDraw.Draw(page)
    font, bold = ImageFont.load_default(2.35 * r), max(1, round(bold * r))
    left, top, right, bottom = pen.textbbox((0, 0), digit, font=font)
    pen.text((side / 2 - (left + right) / 2, side / 2 - (top + bottom) / 2), digit, 255, font=font,
             stroke_width=bold)
    page = page.rotate(np.degrees(turn), Image.BICUBIC)
    out = np.zeros(shape, np.float32)
    h, w = shape
    x0, y0 = int(round(side / 2 - x)), int(round(side / 2 - y))
    out[:] = np.asarray(page.crop((x0, y0, x0 + w, y0 + h)), np.float32) / 255
    return .5 - out


def distance(rng, kind, u, v, r, raw):
    if kind == "circle":
        return np.hypot(u * rng.uniform(.94, 1.06), v) - r * .94
    if kind == "square":
        return box(u, v, r * .8, r * .8)
    if kind == "rectangle":
        return box(u, v, r, r * rng.uniform(.4, .58))
    if kind == "triangle":
        return half_planes(u, (v + .2 * r) * -rng.uniform(.85, 1.1), r, 3) * .95
    if kind == "star":
        return polygon_arms(u, v, r * 1.06, rng.uniform(.4, .56), 5)
    if kind == "hexagon":
        return half_planes(u, v, r * .98, 6)
    if kind == "cross":
        w = rng.uniform(.26, .36) * r
        return np.minimum(box(u, v, r * .95, w), box(u, v, w, r * .95))
    if kind == "heart":
        return heart(u, v, r)
    if kind == "ring":
        w = rng.uniform(.17, .26) * r
        return np.abs(np.hypot(u, v) - (r * .97 - w)) - w
    if kind == "arrow":
        return arrow(u, v, r, rng.uniform(.22, .3), rng.uniform(.75, 1.0), rng.uniform(.7, .85))
    if raw is not None:
        return glyph(*raw, r, kind, rng.uniform(-.2, .2), rng.uniform(.03, .11))
    return strokes(u * rng.uniform(.85, 1.05), v, r, kind, rng.uniform(.18, .26))


def turn_of(rng, kind):
    if kind in ("circle", "ring"):
        return 0.
    if kind in ("rectangle", "hexagon", "triangle"):
        return rng.choice([rng.uniform(-.25, .25), rng.uniform(-np.pi, np.pi)])
    if kind == "arrow":
        return rng.integers(4) * np.pi / 2 + rng.normal(0, .25)
    if kind == "star":
        return rng.uniform(-np.pi, np.pi)
    return rng.normal(0, .16)


# ---- surfaces ----------------------------------------------------------------------------------

def clouds(rng, h, w, cells):
    """Smooth noise in 0..1: a few random values, enlarged."""
    small = rng.integers(0, 256, (max(2, round(cells * h / w)), max(2, cells)), dtype=np.uint8)
    kind = Image.BICUBIC if rng.random() < .8 else Image.NEAREST
    return np.asarray(Image.fromarray(small).resize((w, h), kind), np.float32) / 255


def stripes(rng, h, w, period):
    a = rng.uniform(0, np.pi)
    y, x = np.ogrid[:h, :w]
    p = (x * np.cos(a) + y * np.sin(a)).astype(np.float32) * np.float32(2 * np.pi / period)
    s = np.sin(p + np.float32(rng.uniform(0, 6)))
    return np.clip(s * 4, -1, 1) * .5 + .5 if rng.random() < .6 else s * .5 + .5


def checks(rng, h, w, period):
    y, x = np.ogrid[:h, :w]
    return (((x // period) + (y // period)) % 2).astype(np.float32)


def ramp(rng, h, w):
    a = rng.uniform(0, 2 * np.pi)
    y, x = np.ogrid[:h, :w]
    g = (x / w * np.cos(a) + y / h * np.sin(a)).astype(np.float32)
    g -= g.min()
    return g / max(float(g.max()), 1e-6)


def background(rng, h, w):
    style = rng.random()
    if rng.random() < .6:                       # pale or dark and dull
        base = hsv(rng.uniform(0, 360), rng.uniform(0, .3), rng.choice(
            [rng.uniform(.75, 1), rng.uniform(.02, .3), rng.uniform(.3, .75)]))
    else:
        base = hsv(rng.uniform(0, 360), rng.uniform(.2, .9), rng.uniform(.15, .95))
    spread = rng.uniform(.05, .3) if style > .25 else 0
    other = np.clip(base + rng.normal(0, 1, 3).astype(np.float32) * spread * .4
                    + np.float32(rng.choice([-1, 1]) * spread * .6), 0, 1)
    if style < .25:
        return np.broadcast_to(base, (h, w, 3)).copy(), base, other
    if style < .45:
        t = ramp(rng, h, w)
    elif style < .62:
        t = clouds(rng, h, w, int(rng.integers(2, 9)))
    elif style < .74:
        t = .6 * clouds(rng, h, w, 4) + .4 * clouds(rng, h, w, int(rng.integers(16, 60)))
    elif style < .84:
        t = stripes(rng, h, w, rng.uniform(8, 70))
    elif style < .90:
        t = checks(rng, h, w, int(rng.integers(8, 48)))
    elif style < .95:                           # a table and a wall
        t = np.broadcast_to((np.arange(h) > h * rng.uniform(.25, .75))[:, None], (h, w))
        t = t.astype(np.float32) * .8 + .2 * clouds(rng, h, w, 6)
    else:
        t = rng.random((h, w), dtype=np.float32)
    t = t[..., None]
    return base * (1 - t) + other * t, base, other


def surface(rng, color, h, w, u, v, r):
    """The paint of one thing: flat, shaded like a ball, ramped or patterned in the same colour."""
    base = paint(rng, color)
    style = rng.random()
    if style < .38:
        return np.broadcast_to(base, (h, w, 3))
    dark = base * rng.uniform(.62, .85) if color != "black" else base + rng.uniform(.04, .14)
    if style < .55:
        t = ramp(rng, h, w)
    elif style < .72:                           # ball: lit from the upper left or right
        lx, ly = rng.uniform(-.5, .5) * r, rng.uniform(-.6, .1) * r
        q = np.hypot(u - lx, v - ly) / r
        t = np.clip(q / 1.4, 0, 1)
        if rng.random() < .4 and color != "black":    # strong light: the far side is nearly dark
            dark = base * rng.uniform(.28, .6)
        if rng.random() < .6:
            shine = np.clip(1 - q / rng.uniform(.25, .5), 0, 1)[..., None] * rng.uniform(.2, .75)
            base = base * (1 - shine) + shine * np.float32(1 if color != "black" else .5)
    elif style < .8:
        t = stripes(rng, h, w, rng.uniform(5, 16))
    elif style < .86:
        t = checks(rng, h, w, int(rng.integers(3, 9)))
    elif style < .95:
        t = clouds(rng, h, w, int(rng.integers(3, 12)))
    else:
        t = rng.random((h, w), dtype=np.float32)
    t = t[..., None]
    return base * (1 - t) + dark * t


# ---- the scene ---------------------------------------------------------------------------------

def layout(rng, h, w, crowd, cell):
    """Places and sizes; neighbours may touch or overlap a little in some scenes."""
    least, most = 1.65 * cell, max(2.1 * cell, .22 * min(h, w))
    slack = rng.choice([1.12, 1.02, .82, .68], p=[.35, .25, .25, .15])
    placed = []
    for _ in range(40 * crowd):
        if len(placed) == crowd:
            break
        r = least * (most / least) ** (rng.random() ** 1.1)
        x, y = rng.uniform(r * .98, w - r * .98), rng.uniform(r * .98, h - r * .98)
        if all(np.hypot(x - a, y - b) > slack * .93 * (r + q) for a, b, q in placed):
            placed.append((x, y, r))
    return placed


def cast(rng, count):
    """Which thing stands where: pools of few colours and shapes make near misses likely."""
    pool = rng.random()
    kinds = rng.choice(len(KINDS) if rng.random() < .45 else len(SHAPES),
                       rng.integers(1, 5), replace=False)
    colors = rng.choice(len(COLORS), rng.integers(1, 5), replace=False)
    out = []
    for _ in range(count):
        k = rng.choice(kinds) if pool < .75 else rng.integers(len(KINDS) if rng.random() < .4 else 10)
        c = rng.choice(colors) if pool < .75 else rng.integers(len(COLORS))
        out.append((int(k), int(c)))
    return out


def draw(seed, h, w, crowd=None, cell=CELL, ground=background, coat=surface):
    rng = np.random.default_rng(seed)
    canvas, base, other = ground(rng, h, w)
    canvas = canvas.astype(np.float32)
    if rng.random() < .15:                      # thin clutter that is nobody's answer
        page = Image.fromarray((canvas * 255).astype(np.uint8))
        pen = ImageDraw.Draw(page)
        for _ in range(rng.integers(2, 9)):
            x, y = rng.uniform(0, w), rng.uniform(0, h)
            tone = tuple(int(a) for a in np.clip(base * 255 + rng.normal(0, 45, 3), 0, 255))
            pen.line([x, y, x + rng.normal(0, w / 4), y + rng.normal(0, h / 4)], tone,
                     int(rng.integers(1, 4)))
        canvas = np.asarray(page, np.float32) / 255
    if crowd is None:
        crowd = int(rng.choice(MOST, p=[.06, .12, .18, .18, .16, .13, .1, .07])) + 1
        crowd = min(crowd, max(2, int(h * w / (cell * cell * 28))))
    places = layout(rng, h, w, crowd, cell)
    owner = np.full((h, w), -1, np.int8)
    alphas, things = [], []
    shadow = rng.random() < .35
    drift = rng.normal(0, .12, 2)
    outline_style = rng.random()
    for (x, y, r), (kind, color) in zip(places, cast(rng, len(places))):
        if kind >= len(SHAPES):                 # thin pens need a taller digit
            r = min(max(r, 2.1 * cell), x + 2, y + 2, w - x + 2, h - y + 2)
        # the paint must differ from what lies under it
        x0, x1 = int(max(0, x - 1.3 * r - 3)), int(min(w, x + 1.3 * r + 4))
        y0, y1 = int(max(0, y - 1.3 * r - 3)), int(min(h, y + 1.3 * r + 4))
        under = canvas[y0:y1:4, x0:x1:4].reshape(-1, 3).mean(0)
        for _ in range(8):
            if np.abs(paint(rng, COLORS[color]) - under).sum() > .55:
                break
            color = int(rng.integers(len(COLORS)))
        gy, gx = np.mgrid[y0:y1, x0:x1].astype(np.float32) + np.float32(.5)
        gx -= np.float32(x)
        gy -= np.float32(y)
        name = KINDS[kind]
        a = turn_of(rng, name)
        ca, sa = np.float32(np.cos(a)), np.float32(np.sin(a))
        u, v = gx * ca + gy * sa, gy * ca - gx * sa
        font = name in DIGITS and rng.random() < .5
        d = distance(rng, name, u, v, np.float32(r), (u.shape, x - x0, y - y0) if font else None)
        alpha = np.clip(.5 - d, 0, 1).astype(np.float32)
        ph, pw = alpha.shape
        patch = canvas[y0:y1, x0:x1]
        if shadow and not font:
            dy, dx = int(round(drift[1] * r)), int(round(drift[0] * r))
            soft = np.clip(.5 - d / rng.uniform(3, 12), 0, 1) * rng.uniform(.25, .6)
            soft = np.roll(soft, (dy, dx), (0, 1))
            patch *= 1 - soft[..., None]
        fill = coat(rng, COLORS[color], ph, pw, gx, gy, r)
        if not font and outline_style < .3:
            pen = rng.uniform(1, 2.8)
            edge = np.clip(.5 + d + pen, 0, 1)[..., None]
            line = np.float32(.08) if outline_style < .17 else (
                np.float32(.95) if outline_style < .22 else fill.mean((0, 1)) * .55)
            fill = fill * (1 - edge) + line * edge
        patch += alpha[..., None] * (fill - patch)
        for other_alpha in alphas:
            other_alpha[y0:y1, x0:x1] *= 1 - alpha
        full = np.zeros((h, w), np.float32)
        full[y0:y1, x0:x1] = alpha
        alphas.append(full)
        owner[y0:y1, x0:x1][alpha > .5] = len(things)
        things.append(Thing(kind, color, float(x), float(y), float(r)))
    image = finish(rng, canvas, h, w)
    cover = np.zeros((len(things), h // FINE, w // FINE), np.uint8)
    for k, a in enumerate(alphas):
        cover[k] = a.reshape(h // FINE, FINE, w // FINE, FINE).mean((1, 3)) * 255 + .5
    for k, t in enumerate(things):              # the centre of what is visible is the place
        ys, xs = np.nonzero(owner == k)
        if len(xs) and name_is_hidden(len(xs), t) is False:
            t.cx, t.cy = float(xs.mean()), float(ys.mean())
    return Scene(image, owner, cover, things)


def name_is_hidden(visible, thing):
    """Less than about half in sight: such a scene is drawn again by the caller."""
    share = {"rectangle": .5, "cross": .55, "ring": .6, "arrow": .42, "star": .5}
    full = share.get(KINDS[thing.kind], .8 if thing.kind < 10 else .35)
    return visible < .5 * full * 2.2 * thing.r ** 2


def finish(rng, canvas, h, w):
    """Light, contrast, sensor and file: what happens to a picture after it was drawn."""
    if rng.random() < .35:
        canvas = canvas * (1 - rng.uniform(.1, .4) * ramp(rng, h, w)[..., None])
    if rng.random() < .4:
        canvas = (canvas - .5) * np.float32(rng.uniform(.8, 1.12)) + np.float32(
            .5 + rng.normal(0, .035))
    if rng.random() < .45:
        sigma = rng.uniform(.005, .045)
        canvas = canvas + rng.standard_normal((h, w, 3 if rng.random() < .6 else 1),
                                              dtype=np.float32) * np.float32(sigma)
    picture = Image.fromarray((np.clip(canvas, 0, 1) * 255 + .5).astype(np.uint8))
    if rng.random() < .25:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(.4, 1.3)))
    if rng.random() < .35:                      # through another resolution, as the processor does
        s = rng.choice([rng.uniform(.6, .95), rng.uniform(1.1, 1.8)])
        picture = picture.resize((round(w * s), round(h * s)), Image.BICUBIC).resize(
            (w, h), Image.BICUBIC)
    if rng.random() < .4:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=int(rng.integers(40, 96)))
        picture = Image.open(file)
    return np.asarray(picture)


def scene(seed, h, w, crowd=None, cell=CELL, ground=background, coat=surface):
    """The first drawing for this seed in which every thing is well in sight."""
    for attempt in range(20):
        s = draw((*seed, attempt) if isinstance(seed, tuple) else (seed, attempt), h, w, crowd, cell, ground, coat)
        if s.things and not any(name_is_hidden(int((s.owner == k).sum()), t)
                                for k, t in enumerate(s.things)):
            return s
    return s
