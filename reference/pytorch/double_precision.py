# SPDX-License-Identifier: Apache-2.0
"""Run Hugging Face models in true double precision.

The library casts to float32 in many places, whatever the weights are: the rotary angles and their frequencies, the
statistics of RMSNorm, the softmax, the rotation of the vision tower's queries. Inside `DoublePrecision()` every such
request is answered in float64, and an operation that still returns float32 raises: silence is the proof.

    model = in_double(model)
    with DoublePrecision():
        model(...)
"""
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only


def _widened(argument):
    return torch.float64 if argument is torch.float32 else argument


class Widen(TorchFunctionMode):
    """Answers each request for float32 in float64."""

    def __torch_function__(self, function, types, arguments=(), options=None):
        if function is torch.Tensor.float:
            return arguments[0].double()
        arguments = tuple(_widened(argument) for argument in arguments)
        options = {name: _widened(value) for name, value in (options or {}).items()}
        return function(*arguments, **options)


class _Guard(TorchDispatchMode):
    """Fails on the first operation whose result is narrower than float64."""

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        result = function(*arguments, **(options or {}))
        tree_map_only(torch.Tensor, lambda tensor: self.check(function, tensor), result)
        return result

    @staticmethod
    def check(function, tensor):
        if tensor.is_floating_point() and tensor.dtype != torch.float64:
            raise AssertionError(f"double precision: {function} returned {tensor.dtype}")
        return tensor


class DoublePrecision:
    """Context in which Hugging Face code computes in float64 and nothing narrower."""

    def __enter__(self):
        self.modes = (Widen(), _Guard())
        for mode in self.modes:
            mode.__enter__()
        return self

    def __exit__(self, *error):
        for mode in reversed(self.modes):
            mode.__exit__(*error)


def in_double(model):
    """Casts weights to float64 and computes the rotary frequencies anew: a cast would keep their float32 rounding."""
    model = model.double()
    vision = model.config.vision_config
    text = model.config.text_config
    model.model.visual.rotary_pos_emb.inv_freq = _frequencies(10000.0, vision.embed_dim // vision.num_heads // 2)
    for module in model.model.language_model.modules():
        if hasattr(module, "inv_freq"):
            module.inv_freq = _frequencies(text.rope_theta, text.hidden_size // text.num_attention_heads)
    return model


def _frequencies(theta, dimension):
    return 1.0 / theta ** (torch.arange(0, dimension, 2, dtype=torch.float64) / dimension)
