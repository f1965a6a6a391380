# SPDX-License-Identifier: Apache-2.0
"""Coarse masks as STAMP's cells give them, right and wrong ones, and the prompts that its refinement makes of them.

All in the square that the encoder sees. `tiny_sam.SIDE` and `.LOW` are the sides of the square and of a mask prompt.
"""
import math

import torch
from torch.nn import functional as F

import sam_model
from tiny_sam import LOW, SIDE

FINE = 4                       # positions a side of a cell on which a mistake is drawn


def cells_of(fine, steps):
    """Cell logits whose bilinear read-out comes nearer to the cover `fine` with every step; none is the cover itself."""
    wanted = 2 * fine - 1
    logits = F.avg_pool2d(wanted, FINE)
    for _ in range(steps):
        read = F.interpolate(logits, scale_factor=FINE, mode="bilinear", align_corners=False)
        logits = logits + F.avg_pool2d(wanted - read.clamp(-1, 1), FINE)
    return logits


def mistaken(fine, others, random):
    """What a model might believe of the cover: shifted, washed out, with cells lost, or with a piece of a neighbour."""
    def chance(p):
        return torch.rand((), generator=random) < p
    if chance(.3):
        shift = torch.randint(-2, 3, (2,), generator=random).tolist()
        fine = torch.roll(fine, shift, (-2, -1))
    if chance(.2):
        fine = F.avg_pool2d(F.pad(fine, (2, 2, 2, 2), mode="replicate"), 5, 1)
    cells = fine.shape[-2] // FINE, fine.shape[-1] // FINE
    if chance(.18):                             # cells fall away or appear beside the thing
        near = F.max_pool2d(fine, 2 * FINE + 1, 1, FINE)
        lost = F.interpolate((torch.rand(1, 1, *cells, generator=random) < .12).float(), scale_factor=FINE)
        fine = torch.where((lost > 0) & (near > 0), 1 - fine, fine)
    if chance(.2):
        y, x = torch.meshgrid(torch.linspace(-1, 1, fine.shape[-2]), torch.linspace(-1, 1, fine.shape[-1]), indexing="ij")
        angle, away = (2 * math.pi * torch.rand((), generator=random)), torch.randn((), generator=random) * .5
        side = (x * angle.cos() + y * angle.sin() > away).float()
        near = F.max_pool2d(fine, 6 * FINE + 1, 1, 3 * FINE)
        fine = torch.maximum(fine, others * side * near)
    return fine


def coarse(cover, others, inside, random, perfect=False):
    """A mask [SIDE, SIDE] of 0 and 1 from true covers [SIDE, SIDE] in 0 to 1 of the thing and of all other things."""
    h, w = inside
    area = 400 if perfect else 400 * math.exp(.25 * float(torch.randn((), generator=random)))
    gh, gw = (max(2, round((area * s) ** .5)) for s in (h / w, w / h))
    fine, near = (F.adaptive_avg_pool2d(m[None, None, :h, :w], (gh * FINE, gw * FINE)) for m in (cover, others))
    if not perfect:
        fine = mistaken(fine, near, random)
    logits = cells_of(fine, 0 if perfect else int(torch.randint(0, 9, (), generator=random)))
    if not perfect:
        noise = torch.randn(logits.shape, generator=random) * .35 * torch.rand((), generator=random)
        logits = logits + noise + .25 * (2 * torch.rand((), generator=random) - 1)
    if not perfect and torch.rand((), generator=random) < .15:    # the released read-out
        read = F.interpolate((logits > 0).float(), (h, w), mode="nearest")
    else:
        read = F.interpolate(logits, (h, w), mode="bilinear", align_corners=False) > 0
    mask = torch.zeros(SIDE, SIDE)
    mask[:h, :w] = read[0, 0].float()
    return mask if mask.any() else (cover > .5).float()


def prior(mask, inside, quirks=True):
    """The mask as mask prompt [LOW, LOW], see sam_model.prior; the resize here is not in 8 bits."""
    h, w = inside
    low = sam_model.resized(h, w, LOW)
    x = F.interpolate(mask[None, None, :h, :w], low, mode="bilinear", align_corners=False, antialias=True)[0, 0]
    x = (x * 255).round() / 255
    x = torch.where(x >= 1, .999, torch.where(x <= 0, .001, x))
    out = torch.full((LOW, LOW), math.log(999.) if quirks else 0.)
    out[:low[0], :low[1]] = torch.log(x / (1 - x))
    return out


def points(mask, inside, count, random):
    """`count` places inside the mask, then as many outside, and their labels."""
    h, w = inside
    places = []
    for on in (True, False):
        found = (mask[:h, :w] > .5).eq(on).nonzero()
        if not len(found):                      # a mask that covers everything
            found = torch.zeros(1, 2, dtype=torch.long)
        places.append(found[torch.randint(len(found), (count,), generator=random)].flip(-1))
    at = torch.cat(places).float()
    return at + torch.rand(at.shape, generator=random) * .6 - .3, torch.arange(2 * count).lt(count).long()


def box(cover, random):
    """The thing's box [4], every side a little off."""
    ys, xs = (cover > .5).nonzero(as_tuple=True)
    exact = torch.stack([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]).float()
    size = (exact[2:] - exact[:2]).repeat(2)
    return exact + (2 * torch.rand(4, generator=random) - 1) * .08 * size
