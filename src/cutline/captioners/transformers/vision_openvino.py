"""A model's vision tower, computed by OpenVINO where the extra ``openvino`` is installed."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
import warnings
from typing import Any, Final, cast

import torch

# By the type of a model: where its tower is. Each of them asks it for the last hidden state only.
TOWERS: Final = {
    "blip": "vision_model",
    "blip-2": "vision_model",
    "git": "git.image_encoder",
    "gemma3": "model.vision_tower",
    "paligemma": "model.vision_tower",
}
_PRECISION: Final = {torch.float32: "f32", torch.bfloat16: "bf16"}
_NO_MATTER: Final = frozenset({"return_dict", "use_cache"})  # of what a tower may be called with


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """``reason``: why the tower stays as it is, None when OpenVINO has it. ``wanted``: it could have."""

    version: str = ""
    reason: str | None = None
    wanted: bool = False


class OpenVinoTower(torch.nn.Module):
    """Stands for a vision tower that takes pixels and gives its last hidden state."""

    def __init__(self, compiled: Any, config: Any, dtype: torch.dtype) -> None:
        super().__init__()
        self._compiled = compiled
        self.config = config
        self.dtype = dtype

    def forward(self, pixel_values: torch.Tensor, **more: Any) -> Any:
        from transformers.modeling_outputs import BaseModelOutputWithPooling

        wishes = sorted(name for name, value in more.items() if value and name not in _NO_MATTER)
        if wishes:
            raise RuntimeError(
                f"OpenVINO's vision tower cannot give {', '.join(wishes)}: uninstall openvino for this model"
            )
        result = self._compiled(pixel_values.float().numpy(), share_inputs=True)
        state = torch.from_numpy(result[0]).to(self.dtype)
        return BaseModelOutputWithPooling(last_hidden_state=state)


class _LastState(torch.nn.Module):
    """What is translated: a tower from pixels to its last hidden state, as plain tensors."""

    def __init__(self, tower: torch.nn.Module) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        state: torch.Tensor = self.tower(pixel_values=pixel_values).last_hidden_state
        return state


def replace_tower(model: Any) -> Outcome:
    """Translate and compile the model's vision tower, and put that in its place. Blocks for seconds."""
    path = TOWERS.get(model.config.model_type)
    if importlib.util.find_spec("openvino") is None:
        return Outcome(reason="openvino is not installed")
    if path is None:
        return Outcome(
            reason=f"a tower of {model.config.model_type} is called in ways OpenVINO's is not made for"
        )
    dtype = model.dtype
    if dtype not in _PRECISION:
        return Outcome(
            reason=f"OpenVINO computes no {str(dtype).removeprefix('torch.')} on a CPU", wanted=True
        )
    tower = model.get_submodule(path)
    try:
        compiled = _compile(tower, dtype)
    except Exception as error:  # noqa: BLE001 - whatever OpenVINO or the tracer has against it
        tower.to(dtype)
        return Outcome(reason=f"OpenVINO cannot take it: {' '.join(str(error).split())[:200]}", wanted=True)
    parent, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent), name, OpenVinoTower(compiled, tower.config, dtype))
    return Outcome(version=_openvino().get_version().split("-")[0])


def _openvino() -> Any:
    """The library, without the part that reports each import to its makers.

    It goes without that part where it is not installed; see openvino/tools/ovc/telemetry_utils.py.
    """
    sys.modules.setdefault("openvino_telemetry", cast("Any", None))  # its import now fails
    import openvino

    return openvino


def _compile(tower: Any, dtype: torch.dtype) -> Any:
    """For batches of any length. The tower is left in float32: OpenVINO rounds it to ``dtype`` itself."""
    openvino = _openvino()
    side = tower.config.image_size
    height, width = (side, side) if isinstance(side, int) else side
    pixels = torch.zeros(1, 3, height, width)
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a tower's checks of its input are left out, as there is one size
        traced = torch.jit.trace(_LastState(tower.float()), (pixels,), check_trace=False, strict=False)
        model = openvino.convert_model(
            traced, example_input=(pixels,), input=[openvino.PartialShape([-1, 3, height, width])]
        )
    options = {
        "INFERENCE_PRECISION_HINT": _PRECISION[dtype],
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",  # one batch at a time, on all threads
    }
    return openvino.Core().compile_model(model, "CPU", options)
