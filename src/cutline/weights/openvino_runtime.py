"""Torch modules compiled by OpenVINO for the CPU, where the extra ``openvino`` is installed."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Sequence
from typing import Any, Final, cast

PRECISIONS: Final = {"float32": "f32", "bfloat16": "bf16"}
"""Types that it computes in on a CPU."""


def is_installed() -> bool:
    try:
        return importlib.util.find_spec("openvino") is not None
    except ValueError:  # its import is blocked
        return False


def version() -> str:
    found: str = _openvino().get_version()
    return found.split("-", maxsplit=1)[0]


def compile_module(module: Any, examples: Sequence[Any], shapes: Sequence[Sequence[int]], dtype: str) -> Any:
    """The module as a function of tensors or arrays, with -1 in ``shapes`` for sizes that vary.

    The module stays in float32: OpenVINO rounds it to ``dtype`` itself. Raises various types where it cannot
    be converted.
    """
    import torch

    openvino = _openvino()
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # checks of input sizes are not traced
        traced = torch.jit.trace(module, tuple(examples), check_trace=False, strict=False)
        partial = [openvino.PartialShape(list(shape)) for shape in shapes]
        model = openvino.convert_model(traced, example_input=tuple(examples), input=partial)
    options = {
        "INFERENCE_PRECISION_HINT": PRECISIONS[dtype],
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",  # one batch at a time, on all threads
    }
    return openvino.Core().compile_model(model, "CPU", options)


def _openvino() -> Any:
    """The library, without telemetry, which reports each import to its makers.

    It does without that module where it is not installed; see openvino/tools/ovc/telemetry_utils.py.
    """
    sys.modules.setdefault("openvino_telemetry", cast("Any", None))  # its import now fails
    import openvino

    return openvino
