"""A torch module as a function from arrays to unit vectors."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from cutline.encoders.encoder import Vectors


class Network:
    """Computes a module that maps tensors to features of shape ``(n, dimensions)``. Thread-safe."""

    def __init__(self, module: Any, device: str) -> None:
        import torch

        self._torch = torch
        self._device = device
        self._module = module.eval().to(device)
        self._lock = threading.Lock()

    def __call__(self, *arrays: np.ndarray) -> Vectors:
        with self._lock, self._torch.inference_mode():
            tensors = [self._torch.from_numpy(array).to(self._device) for array in arrays]
            features: Vectors = self._module(*tensors).float().cpu().numpy()
        return unit_vectors(features)


def unit_vectors(features: Vectors) -> Vectors:
    """Each row divided by its length; a row of zeros stays one."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    unit: Vectors = features / np.maximum(lengths, 1e-12)
    return unit
