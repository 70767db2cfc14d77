"""Faster computation on a CPU by OpenVINO and oneDNN, where available."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from cutline.captioners.transformers import onednn, vision_openvino
from cutline.captioners.transformers.model_loader import LoadedModel
from cutline.weights import Say

if TYPE_CHECKING:
    import torch

_log = logging.getLogger(__name__)


def accelerate(
    loaded: LoadedModel,
    name: str,
    say: Say,
    *,
    onednn_speedup: Callable[[torch.dtype], float] = onednn.speedup,
) -> None:
    """Replace parts of a model, and report which, or why not. Blocks for seconds.

    The model's dtype is kept: for float32 both compute in float32. Models on other devices than the CPU
    are not changed.
    """
    if loaded.device != "cpu":
        return
    done = []
    tower = vision_openvino.replace_tower(loaded.model)
    if tower.reason is None:
        done.append(f"the vision tower by OpenVINO {tower.version}")
    elif tower.supported:
        say(f"{name}: the vision tower stays with torch: {tower.reason}")
    speedup = onednn_speedup(loaded.model.dtype)
    if speedup >= onednn.MIN_SPEEDUP:
        onednn.replace_linears(loaded.model)
        done.append(f"linear layers by oneDNN, {speedup:.1f} times as fast here")
    if done:
        say(f"{name} on cpu: {'; '.join(done)}")
    _log.info(
        "accelerated model=%s parts=%r onednn=%.2f openvino=%s", name, done, speedup, tower.reason or "yes"
    )
