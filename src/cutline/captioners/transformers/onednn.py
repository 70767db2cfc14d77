"""Linear layers by oneDNN, where it is faster than torch's default for float32.

For float32, torch multiplies with MKL, which runs at half speed on processors that are not Intel's;
oneDNN, which is part of torch too, does not. Source: torch's ``mkldnn::_linear_pointwise`` and
``_reorder_linear_weight``, which its own compiler uses. They are private interfaces: where a version
of torch lacks them, or computes another result, layers are not replaced.
"""

from __future__ import annotations

import functools
import timeit
from typing import Final

import torch

MIN_SPEEDUP: Final = 1.2
_TRIAL_ROWS, _TRIAL_WIDTH = 577, 768  # patches of a picture, and the width of a small model
_TRIALS: Final = 5


class OneDnnLinear(torch.nn.Module):
    """Replaces a ``Linear``; ``weight`` is in oneDNN's layout and can only be multiplied with."""

    def __init__(self, linear: torch.nn.Linear) -> None:
        super().__init__()
        self.in_features = linear.in_features
        self.out_features = linear.out_features
        self.weight = _packed(linear.weight.detach())
        self.bias = None if linear.bias is None else linear.bias.detach()

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return _multiply(values, self.weight, self.bias)


def replace_linears(model: torch.nn.Module) -> None:
    """Replace every plain ``Linear``, one at a time, as each needs its memory twice."""
    done: dict[int, OneDnnLinear] = {}  # a layer may have several names
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is torch.nn.Linear and not child._forward_hooks:  # noqa: SLF001 - has no reader
                if id(child) not in done:
                    done[id(child)] = OneDnnLinear(child)
                setattr(parent, name, done[id(child)])


@functools.cache
def speedup(dtype: torch.dtype) -> float:
    """Measured speedup of one layer on this machine; 0 where it is unavailable.

    0 for bfloat16, for which torch uses oneDNN by itself.
    """
    if dtype != torch.float32 or not torch.backends.mkldnn.is_available():
        return 0
    if not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return 0
    with torch.inference_mode():
        layer = torch.nn.Linear(_TRIAL_WIDTH, 4 * _TRIAL_WIDTH)
        values = torch.randn(_TRIAL_ROWS, _TRIAL_WIDTH)
        try:
            other = OneDnnLinear(layer)
            if not torch.allclose(layer(values), other(values), rtol=1e-4, atol=1e-4):
                return 0
        except (RuntimeError, TypeError):  # built without it, or with another signature
            return 0
        # Alternating, and the best of each, as other programs may be running.
        usual, ours = (timeit.Timer(functools.partial(each, values)) for each in (layer, other))
        times = [(usual.timeit(1), ours.timeit(1)) for _ in range(_TRIALS)]
    return min(before for before, _ in times) / min(after for _, after in times)


def _packed(weight: torch.Tensor) -> torch.Tensor:
    packed: torch.Tensor = torch.ops.mkldnn._reorder_linear_weight(weight)  # noqa: SLF001 - no public interface
    return packed


def _multiply(values: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    made: torch.Tensor = torch.ops.mkldnn._linear_pointwise(  # noqa: SLF001 - no public interface
        values, weight, bias, "none", [], ""
    )
    return made
