"""Faster ways to compute the same on a CPU, taken where they are there and faster."""

from __future__ import annotations

import logging

from cutline.captioners.transformers import onednn, vision_openvino
from cutline.captioners.transformers.model_loader import Loaded
from cutline.weights import Say

_log = logging.getLogger(__name__)


def accelerate(loaded: Loaded, name: str, say: Say) -> None:
    """Give parts of the model to OpenVINO and oneDNN, and say which, or why not. Blocks for seconds.

    The model's dtype stays what decides: for float32 both compute in float32. Models on other devices
    than the CPU, and quantized ones, are left as they are.
    """
    if loaded.device != "cpu":
        return
    done = []
    tower = vision_openvino.replace_tower(loaded.model)
    if tower.reason is None:
        done.append(f"the vision tower by OpenVINO {tower.version}")
    elif tower.wanted:
        say(f"{name}: the vision tower stays with torch: {tower.reason}")
    gain = onednn.gain(loaded.model.dtype)
    if gain >= onednn.WORTH_IT:
        onednn.replace_linears(loaded.model)
        done.append(f"linear layers by oneDNN, {gain:.1f} times as fast here")
    if done:
        say(f"{name} on cpu: {'; '.join(done)}")
    _log.info(
        "accelerated model=%s parts=%r onednn=%.2f openvino=%s", name, done, gain, tower.reason or "yes"
    )
