"""Vision towers computed by OpenVINO, where the extra ``openvino`` is installed."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import torch

from cutline.weights import openvino_runtime

# Paths of towers by model type. Each of these models uses the last hidden state only.
TOWERS: Final = {
    "blip": "vision_model",
    "blip-2": "vision_model",
    "git": "git.image_encoder",
    "gemma3": "model.vision_tower",
    "paligemma": "model.vision_tower",
}
_IGNORED_ARGUMENTS: Final = frozenset({"return_dict", "use_cache"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """``reason``: why the tower was not replaced, None if it was. ``supported``: the model type is."""

    version: str = ""
    reason: str | None = None
    supported: bool = False


class OpenVinoTower(torch.nn.Module):
    """Replaces a vision tower; maps pixels to the last hidden state."""

    def __init__(self, compiled: Any, config: Any, dtype: torch.dtype) -> None:
        super().__init__()
        self._compiled = compiled
        self.config = config
        self.dtype = dtype

    def forward(self, pixel_values: torch.Tensor, **more: Any) -> Any:
        from transformers.modeling_outputs import BaseModelOutputWithPooling

        unsupported = sorted(name for name, value in more.items() if value and name not in _IGNORED_ARGUMENTS)
        if unsupported:
            raise RuntimeError(
                f"OpenVINO's vision tower does not support {', '.join(unsupported)}: "
                "uninstall openvino for this model"
            )
        result = self._compiled(pixel_values.float().numpy(), share_inputs=True)
        state = torch.from_numpy(result[0]).to(self.dtype)
        return BaseModelOutputWithPooling(last_hidden_state=state)


class _LastState(torch.nn.Module):
    """The module to convert: maps pixels to the last hidden state, as plain tensors."""

    def __init__(self, tower: torch.nn.Module) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        state: torch.Tensor = self.tower(pixel_values=pixel_values).last_hidden_state
        return state


def replace_tower(model: Any) -> Replacement:
    """Convert and compile the model's vision tower, and replace it. Blocks for seconds."""
    path = TOWERS.get(model.config.model_type)
    if not openvino_runtime.is_installed():
        return Replacement(reason="openvino is not installed")
    if path is None:
        return Replacement(reason=f"towers of {model.config.model_type} are not supported")
    dtype = model.dtype
    precision = str(dtype).removeprefix("torch.")
    if precision not in openvino_runtime.PRECISIONS:
        return Replacement(reason=f"OpenVINO does not compute {precision} on a CPU", supported=True)
    tower = model.get_submodule(path)
    try:
        compiled = _compile(tower, dtype)
    except Exception as error:  # noqa: BLE001 - OpenVINO and the tracer raise various types
        tower.to(dtype)
        return Replacement(
            reason=f"OpenVINO cannot convert it: {' '.join(str(error).split())[:200]}", supported=True
        )
    parent, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent), name, OpenVinoTower(compiled, tower.config, dtype))
    return Replacement(version=openvino_runtime.version())


def _compile(tower: Any, dtype: torch.dtype) -> Any:
    """Compile for batches of any size. The tower stays in float32: OpenVINO rounds it to ``dtype`` itself."""
    side = tower.config.image_size
    height, width = (side, side) if isinstance(side, int) else side
    pixels = torch.zeros(1, 3, height, width)
    name = str(dtype).removeprefix("torch.")
    module = _LastState(tower.float())
    return openvino_runtime.compile_module(module, [pixels], [(-1, 3, height, width)], name)
