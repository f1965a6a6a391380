# SPDX-License-Identifier: Apache-2.0
"""What every cell of a drawn scene shows: labels and loss of the vision tower's warm start.

Besides what a thing is, the tower learns which of its likes a thing is: the first from the left, the second
largest, … A mask token sees its own cell's features and nothing of where that cell lies, so this is how it can tell
one of two equal circles from the other.
"""
import torch
import torch.nn.functional as F

import tiny_stamp


def ranks(shard):
    """How many of a thing's likes come before it, and whether it has any: [B, K, 24] in 0..3 and [B, K, 24].

    Likes: all things, those of its kind, of its colour, of both. Orders: from the left, the right, the top, the
    bottom, by growing and by falling size.
    """
    things = shard["things"]
    kind, color, x, y, r = things.unbind(-1)
    k = things.shape[1]
    real = torch.arange(k) < shard["count"][:, None]
    other = real[:, :, None] & real[:, None] & ~torch.eye(k, dtype=torch.bool)
    same_kind, same_color = kind[:, :, None] == kind[:, None], color[:, :, None] == color[:, None]
    likes = torch.stack([other, other & same_kind, other & same_color, other & same_kind & same_color], 1)
    key = torch.stack([x, -x, y, -y, r, -r], 1)
    before = key[:, :, None, :] < key[:, :, :, None]
    rank = (likes[:, :, None] & before[:, None]).sum(-1).clamp(max=tiny_stamp.RANKS - 1)
    several = (likes.any(-1)[:, :, None]).expand(rank.shape)
    return rank.flatten(1, 2).transpose(1, 2), several.flatten(1, 2).transpose(1, 2)


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
    rank, several = (t.gather(1, owner.unsqueeze(-1).expand(-1, -1, t.shape[-1])) for t in ranks(shard))
    return {"rank": rank, "several": several, "color": color, "kind": kind, "ground": ground, "clear": clear,
            "offset": (centre - at) / 4, "radius": torch.log(things[..., 4:5].clamp(min=1) / 32) * 2,
            "place": centre / torch.tensor([gw, gh]) * 2 - 1}


def loss(weights, features, labels):
    color, kind, ground, offset, radius, place, rank = tiny_stamp.dense(weights, features)
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
    good = labels["clear"]
    rank, of, several = rank[good].unflatten(-1, (-1, tiny_stamp.RANKS)), labels["rank"][good], labels["several"][good]
    each = F.cross_entropy(rank.flatten(0, 1), of.flatten(), reduction="none").view(-1, 4, 6)
    hard = several.view(each.shape).float()      # a thing without likes is easy; equal things are rare
    parts["rank"] = 3 * ((each * hard).sum((0, 2)) / hard.sum((0, 2)).clamp(min=1)).mean() + .5 * (
        (each * (1 - hard)).sum((0, 2)) / (1 - hard).sum((0, 2)).clamp(min=1)).mean()
    with torch.no_grad():
        first = ((rank.argmax(-1) == 0) == (of == 0)).float()
        twins = several[:, 18:22]                # equal things, by their place
        right = {"color_acc": (color.argmax(-1) == labels["color"])[good].float().mean(),
                 "kind_acc": (kind.argmax(-1) == labels["kind"])[good].float().mean(),
                 "first_acc": first[several].sum() / several.sum().clamp(min=1),
                 "twin_acc": first[:, 18:22][twins].sum() / twins.sum().clamp(min=1)}
    return sum(parts.values()), parts, right
