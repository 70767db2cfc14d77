"""A torch module as a function from arrays to unit vectors, computed as fast as the hardware can."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from cutline.encoders.encoder import Vectors
from cutline.formatting import one_line
from cutline.weights import choose_device, choose_hardware, openvino_runtime

_log = logging.getLogger("cutline.encoders")


class Network:
    """Computes a module that maps tensors to features of shape ``(n, dimensions)``. Thread-safe.

    In bfloat16 where the hardware multiplies that, on a CPU by OpenVINO where that is installed. ``shapes``
    are those of the inputs, with -1 for sizes that vary, ``examples`` are inputs of some size. ``how``
    names what computes.
    """

    def __init__(
        self, module: Any, device: str, examples: Sequence[np.ndarray], shapes: Sequence[Sequence[int]]
    ) -> None:
        import torch

        self._torch = torch
        self._device = choose_device(device)
        self._dtype = choose_hardware(self._device).dtype
        self._lock = threading.Lock()
        self._module = module.eval()
        self._compiled = None
        if self._device == "cpu" and openvino_runtime.is_installed():
            tensors = [torch.from_numpy(each) for each in examples]
            try:
                self._compiled = openvino_runtime.compile_module(module, tensors, shapes, self._dtype)
            except Exception as error:  # noqa: BLE001 - OpenVINO and the tracer raise various types
                _log.warning("OpenVINO cannot convert it, torch computes: %s", one_line(error))
        if self._compiled is None:
            # Several times as fast for convolutions; no change for others.
            self._module = self._module.to(self._device, memory_format=torch.channels_last)
        library = f"OpenVINO {openvino_runtime.version()}" if self._compiled else f"torch on {self._device}"
        self.how = f"{library} in {self._dtype}"

    def __call__(self, *arrays: np.ndarray) -> Vectors:
        return unit_vectors(self.features(*arrays))

    def features(self, *arrays: np.ndarray) -> Vectors:
        """What the module returns, of any length."""
        with self._lock:
            return self._compute(arrays)

    def _compute(self, arrays: Sequence[np.ndarray]) -> Vectors:
        if self._compiled is not None:
            computed: Vectors = self._compiled(arrays, share_inputs=True)[0]
            return computed
        kind, torch = self._device.partition(":")[0], self._torch
        mixed = torch.autocast(kind, torch.bfloat16, enabled=self._dtype == "bfloat16")
        with torch.inference_mode(), mixed:
            tensors = [torch.from_numpy(array).to(self._device) for array in arrays]
            features: Vectors = self._module(*tensors).float().cpu().numpy()
        return features


def unit_vectors(features: Vectors) -> Vectors:
    """Each row divided by its length; a row of zeros stays one."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    unit: Vectors = features / np.maximum(lengths, 1e-12)
    return unit
