# SPDX-License-Identifier: Apache-2.0
"""Gradients of a batch on a few threads, polite to whoever else works on the machine."""
import os
import threading
import time

import torch


def rows(shard, first, last):
    """Scenes [first, last) of a shard; all of them share its grid."""
    return {k: v if k == "grid" else v[first:last] for k, v in shard.items()}


class Team:
    """One thread per part of the batch. They meet once a step, so a busy machine costs little.

    The second and later threads rest while other people's work (normal priority) fills the cores.
    """

    def __init__(self, most):
        self.most, self.before = most, None

    def size_now(self):
        if self.most == 1 or not os.path.exists("/proc/stat"):
            return self.most
        user, _, system, idle, wait = map(int, open("/proc/stat").readline().split()[1:6])
        now, last = (user + system, os.cpu_count() * time.monotonic() * 100), self.before
        self.before = now
        if last is None or now[1] - last[1] < 20:
            return 1
        return self.most if (now[0] - last[0]) / (now[1] - last[1]) < .4 else 1

    def gradients(self, losses, leaf, shard, *rest):
        """Of losses(leaf, part of the shard, *rest) -> total, statistics: the mean over the parts of both."""
        names, b = list(leaf), len(shard["count"])
        size = self.size = self.size_now()
        done = [None] * size

        def work(i):
            total, stats = losses(leaf, rows(shard, i * b // size, (i + 1) * b // size), *rest)
            grads = torch.autograd.grad(total, [leaf[n] for n in names], allow_unused=True)
            done[i] = grads, stats
        threads = [threading.Thread(target=work, args=(i,)) for i in range(1, size)]
        for th in threads:
            th.start()
        work(0)
        for th in threads:
            th.join()
        grads = {n: sum(d[0][k].float() for d in done) / size for k, n in enumerate(names)
                 if done[0][0][k] is not None}
        return grads, {k: sum(d[1][k] for d in done) / size for k in done[0][1]}
