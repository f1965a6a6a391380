# SPDX-License-Identifier: Apache-2.0
"""Muon for matrices, AdamW for the rest, over flat dictionaries of float32 tensors.

Muon: momentum, then the nearest orthogonal matrix by Newton-Schulz; equal shapes run as one batch.
"""
import torch


def orthogonal(g, steps=5):
    a, b, c = 3.4445, -4.7750, 2.0315
    x = g.bfloat16()
    wide = x.shape[-2] > x.shape[-1]
    x = x.transpose(-1, -2) if wide else x
    x = x / (x.float().norm(dim=(-2, -1), keepdim=True) + 1e-7).bfloat16()
    for _ in range(steps):
        s = x @ x.transpose(-1, -2)
        x = a * x + (b * s + c * (s @ s)) @ x
    return (x.transpose(-1, -2) if wide else x).float()


class Optimizer:
    def __init__(self, weights, is_matrix, stacked, lr_matrix=.02, lr_rest=1e-3, decay=.01):
        """stacked(name) -> into how many square-ish parts a fused matrix falls."""
        self.weights, self.stacked = weights, stacked
        self.lr_matrix, self.lr_rest, self.decay = lr_matrix, lr_rest, decay
        self.matrices = [n for n in weights if is_matrix(n)]
        self.rest = [n for n in weights if not is_matrix(n)]
        self.momentum = {n: torch.zeros_like(weights[n]) for n in self.matrices}
        self.first = {n: torch.zeros_like(weights[n]) for n in self.rest}
        self.second = {n: torch.zeros_like(weights[n]) for n in self.rest}
        self.count = 0

    def step(self, grads, scale, factor=lambda name: 1.0):
        """scale: schedule in 0..1; factor(name): learning rate factor of one tensor."""
        self.count += 1
        groups = {}
        for n in self.matrices:
            if n not in grads or factor(n) == 0:
                continue
            m = self.momentum[n].lerp_(grads[n], .05)
            update = grads[n].lerp(m, .95)
            parts = self.stacked(n)
            update = update.view(parts, update.shape[0] // parts, update.shape[1])
            groups.setdefault(update.shape[1:], []).append((n, update))
        for (rows, columns), members in groups.items():
            o = orthogonal(torch.cat([u for _, u in members]))
            o *= max(1, rows / columns) ** .5
            at = 0
            for n, u in members:
                lr = self.lr_matrix * scale * factor(n)
                w = self.weights[n]
                w.mul_(1 - lr * self.decay).sub_(
                    o[at:at + len(u)].reshape(w.shape), alpha=lr)
                at += len(u)
        b1, b2 = .9, .98
        for n in self.rest:
            if n not in grads or factor(n) == 0:
                continue
            g = grads[n]
            self.first[n].lerp_(g, 1 - b1)
            self.second[n].lerp_(g * g, 1 - b2)
            m = self.first[n] / (1 - b1 ** self.count)
            v = self.second[n] / (1 - b2 ** self.count)
            self.weights[n].sub_(m / (v.sqrt() + 1e-8), alpha=self.lr_rest * scale * factor(n))

    def state(self):
        return {k: getattr(self, k) for k in ("momentum", "first", "second", "count")}

    def load(self, state):
        for k in ("momentum", "first", "second"):
            for n, t in state[k].items():
                if n in getattr(self, k):
                    getattr(self, k)[n].copy_(t)
        self.count = state["count"]
