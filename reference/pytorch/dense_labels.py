# SPDX-License-Identifier: Apache-2.0
"""What every cell of a drawn scene shows: labels and loss of the vision tower's warm start."""
import torch
import torch.nn.functional as F

import tiny_stamp


def cells(shard):
    """Labels [B, N] per cell from the soft covers; -100 where a cell is ambiguous."""
    gh, gw = (int(x) for x in shard["grid"])
    cover = shard["cover"].float() / 255
    b, k = cover.shape[:2]
    fine = cover.view(b, k, gh, 4, gw, 4).permute(0, 2, 4, 1, 3, 5).reshape(b, gh * gw, k, 16)
    share, owner = fine.mean(-1).max(-1)
    things = shard["things"].gather(1, owner.unsqueeze(-1).expand(-1, -1, 5))
    blank, clear = share < .06, share > .25
    color = torch.where(clear, things[..., 1].long() + 1, torch.where(blank, 0, -100))
    kind = torch.where(clear, things[..., 0].long() + 1, torch.where(blank, 0, -100))
    ground = fine.gather(2, owner[..., None, None].expand(-1, -1, 1, 16)).squeeze(2)
    y, x = torch.meshgrid(torch.arange(gh) + .5, torch.arange(gw) + .5, indexing="ij")
    at = torch.stack([x.reshape(-1), y.reshape(-1)], -1)
    centre = things[..., 2:4] / 16
    return {"color": color, "kind": kind, "ground": ground, "clear": clear,
            "offset": (centre - at) / 4, "radius": torch.log(things[..., 4:5].clamp(min=1) / 32) * 2,
            "place": centre / torch.tensor([gw, gh]) * 2 - 1}


def loss(weights, features, labels):
    color, kind, ground, offset, radius, place = tiny_stamp.dense(weights, features)
    on = labels["clear"].float().unsqueeze(-1)
    amount = on.sum().clamp(min=1)

    def entropy(logits, target):                 # background is half of the weight at most
        each = F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=-100,
                               reduction="none").view(target.shape)
        thing, bare = (target > 0).float(), (target == 0).float()
        return (each * thing).sum() / thing.sum().clamp(min=1) + .4 * (each * bare).sum(
            ) / bare.sum().clamp(min=1)
    parts = {"color": entropy(color, labels["color"]), "kind": entropy(kind, labels["kind"]),
             "ground": 2 * F.binary_cross_entropy_with_logits(ground, labels["ground"]),
             "offset": ((offset - labels["offset"]).abs() * on).sum() / amount,
             "radius": ((radius - labels["radius"]).abs() * on).sum() / amount,
             "place": ((place - labels["place"]).abs() * on).sum() / amount}
    with torch.no_grad():
        good = labels["clear"]
        right = {"color_acc": (color.argmax(-1) == labels["color"])[good].float().mean(),
                 "kind_acc": (kind.argmax(-1) == labels["kind"])[good].float().mean()}
    return sum(parts.values()), parts, right
