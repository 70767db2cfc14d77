"""Linear layers by oneDNN, where torch's own choice for float32 is a slower library.

For float32, torch multiplies with MKL, which runs at half speed on processors that are not Intel's;
oneDNN, which torch carries too, does not. Source: torch's ``mkldnn::_linear_pointwise`` and
``_reorder_linear_weight``, which its own compiler uses. They are no public interface: where a version
of torch lacks them, or gives another result, layers stay as they are.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any, Final

import torch

WORTH_IT: Final = 1.2
_ROWS, _SIDE = 577, 768  # of the trial: a picture's patches, and the width of a small model
_TRIES: Final = 5


class OneDnnLinear(torch.nn.Module):
    """Stands for a ``Linear``; ``weight`` is in oneDNN's own order and can only be multiplied with."""

    def __init__(self, linear: torch.nn.Linear) -> None:
        super().__init__()
        self.in_features = linear.in_features
        self.out_features = linear.out_features
        self.weight = _packed(linear.weight.detach())
        self.bias = None if linear.bias is None else linear.bias.detach()

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return _multiply(values, self.weight, self.bias)


def replace_linears(model: torch.nn.Module) -> None:
    """Every layer that is a ``Linear`` and nothing more; one at a time, as each needs its memory twice."""
    done: dict[int, OneDnnLinear] = {}  # a layer may have several names
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is torch.nn.Linear and not child._forward_hooks:  # noqa: SLF001 - has no reader
                if id(child) not in done:
                    done[id(child)] = OneDnnLinear(child)
                setattr(parent, name, done[id(child)])


@functools.cache
def gain(dtype: torch.dtype) -> float:
    """How many times as fast it is here, tried on one layer; 0 where it cannot be had.

    For bfloat16 torch takes oneDNN by itself: 0.
    """
    if dtype != torch.float32 or not torch.backends.mkldnn.is_available():
        return 0
    if not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return 0
    with torch.inference_mode():
        layer = torch.nn.Linear(_SIDE, 4 * _SIDE)
        values = torch.randn(_ROWS, _SIDE)
        try:
            other = OneDnnLinear(layer)
            if not torch.allclose(layer(values), other(values), rtol=1e-4, atol=1e-4):
                return 0
        except (RuntimeError, TypeError):  # built without it, or called otherwise in this version
            return 0
        # In turns and the best of each, as other programs may be running.
        times = [(_seconds(lambda: layer(values)), _seconds(lambda: other(values))) for _ in range(_TRIES)]
    return min(usual for usual, _ in times) / min(ours for _, ours in times)


def _seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _packed(weight: torch.Tensor) -> torch.Tensor:
    packed: torch.Tensor = torch.ops.mkldnn._reorder_linear_weight(weight)  # noqa: SLF001 - no public one
    return packed


def _multiply(values: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    made: torch.Tensor = torch.ops.mkldnn._linear_pointwise(  # noqa: SLF001 - no public one
        values, weight, bias, "none", [], ""
    )
    return made
