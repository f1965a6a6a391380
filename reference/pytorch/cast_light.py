# SPDX-License-Identifier: Apache-2.0
"""Light from one side on a drawn picture: the far sides of its things fall dark, and they cast shadows on the ground.

Where a dark side meets a shadow, only a little light tells the one from the other; a mask has to end there all the same.
"""
import math

import torch


def lit(image, cover, random):
    """image [h, w, 3] in 0 to 255 under a light of random direction; cover [things, h, w] in 0 to 255 stays as it is."""
    def between(low, high):
        return low + (high - low) * float(torch.rand((), generator=random))
    h, w = image.shape[:2]
    out, owned = image.float(), cover.float().sum(0).div(255).clamp(max=1)
    angle, dark, strength = between(-math.pi, math.pi), between(.05, .6), between(.3, .85)
    away, soft = between(.2, 1.1), between(.6, 6)                # how far shadows fall, how blurred they are
    y, x = torch.arange(h).float()[:, None], torch.arange(w).float()
    shadow = torch.zeros(h, w)
    for mask in cover.float().div(255):
        on = mask > .5
        if not on.any():
            continue
        rows, columns = on.any(1).nonzero(), on.any(0).nonzero()
        (top, bottom), (left, right) = ((float(s.min()), float(s.max()) + 1) for s in (rows, columns))
        r, cx, cy = (bottom - top + right - left) / 4, (left + right) / 2, (top + bottom) / 2
        along = ((x - cx) * math.cos(angle) + (y - cy) * abs(math.sin(angle))) / r
        shade = ((along - between(-.5, .3)) / between(.4, 1.3)).clamp(0, 1) * mask * (1 - dark)
        out = out * (1 - shade[..., None])
        # an ellipse on the ground under the thing, drawn out to the side that the light does not reach
        sx = cx + away * r * math.cos(angle)
        sy = bottom - between(.05, .35) * r
        u, v = (x - sx) / (r * between(.9, 1.5)), (y - sy) / (r * between(.2, .5))
        distance = (1 - (u * u + v * v).sqrt()) * r * .4
        shadow = torch.maximum(shadow, (distance / soft + .5).clamp(0, 1))
    out = out * (1 - strength * shadow * (1 - owned))[..., None]
    return out.clamp(0, 255)
