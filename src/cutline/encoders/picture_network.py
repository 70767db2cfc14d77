"""Embeddings of pictures by a convolutional network that was trained on ImageNet."""

from __future__ import annotations

import dataclasses
import math
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from cutline.encoders.encoder import Vectors, fingerprint_of
from cutline.encoders.network import Network, unit_vectors
from cutline.errors import ConfigError
from cutline.formatting import one_line
from cutline.imaging import Picture
from cutline.weights import Say, find_weights

Pixels: TypeAlias = npt.NDArray[np.uint8]
"""Of shape ``(height, width, 3)``, RGB."""

_BATCH: Final = 32


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A network and its input: the middle ``crop`` of a picture's shorter side, as a square of ``side``.

    ``scale`` and ``shift`` map 0..255 to what the network was trained on. ``find`` returns the file of its
    weights, ``build`` the module with these: pixels of shape ``(n, 3, side, side)`` to features.
    """

    name: str
    dimensions: int
    crop: float
    scale: float
    shift: float
    find: Callable[[Say], Path]
    build: Callable[[Path], Any]
    side: int = 224


class PictureNetwork:
    """Encodes with a network; the first use loads it.

    Raises:
        ConfigError: from the first use: there are no weights, or they are another network's.
    """

    def __init__(self, architecture: Architecture, *, device: str = "auto") -> None:
        self._architecture = architecture
        self._device = device
        self._lock = threading.RLock()
        self._file: Path | None = None
        self._network: Network | None = None

    @property
    def name(self) -> str:
        return self._architecture.name

    @property
    def dimensions(self) -> int:
        return self._architecture.dimensions

    @property
    def fingerprint(self) -> str:
        how = self._architecture
        return fingerprint_of([self._find()], how.side, how.crop, how.scale, how.shift)

    def load(self, say: Say = lambda _: None) -> None:
        """Load the model now, rather than at the first use; ``say`` receives progress lines."""
        with self._lock:
            if self._network is None:
                module = self._architecture.build(self._find(say))
                scaled = _scaled(module, self._architecture.scale, self._architecture.shift)
                side = self._architecture.side
                pixels = np.zeros((2, side, side, 3), np.uint8)
                self._network = Network(scaled, self._device, [pixels], [(-1, side, side, 3)])

    def decode(self, picture: Picture) -> Pixels:
        """The part of a picture that the network sees; PictureError: it cannot be decoded."""
        side, crop = self._architecture.side, self._architecture.crop
        size = picture.info()
        short, long = sorted((size.width, size.height))
        # Twice what is needed: a scaled picture has some aliasing, to which networks are sensitive.
        wanted = math.ceil(2 * side / crop)
        image = picture.image(max_side=math.ceil(wanted * long / short) if short > wanted else 0)
        return self.crop(image)

    def crop(self, image: Image.Image, *, whole: bool = False) -> Pixels:
        """The middle of an RGB picture as the network sees it, or the ``whole``, squeezed to a square."""
        side, length = self._architecture.side, min(image.size) * self._architecture.crop
        left, top = (image.width - length) / 2, (image.height - length) / 2
        box = (0, 0, *image.size) if whole else (left, top, left + length, top + length)
        return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC, box))

    def pictures(self, images: Sequence[Pixels]) -> Vectors:
        """Embed what ``decode`` returned."""
        return unit_vectors(self.features(images))

    def features(self, images: Sequence[Pixels]) -> Vectors:
        """As ``pictures``, but not of unit length."""
        self.load()
        assert self._network is not None
        starts = range(0, len(images), _BATCH)
        parts = [self._network.features(np.stack(images[start : start + _BATCH])) for start in starts]
        return np.concatenate([np.empty((0, self.dimensions), np.float32), *parts])

    def _find(self, say: Say = lambda _: None) -> Path:
        with self._lock:
            if self._file is None:
                self._file = self._architecture.find(say)
            return self._file


def weights_file(weights: str, say: Say) -> Path:
    """The safetensors file of a path, a folder, or a repository on the hub; ConfigError: there is none."""
    path = Path(weights).expanduser()
    if path.is_file():
        if path.suffix != ".safetensors":
            raise ConfigError(f"{weights} is not a safetensors file, the only supported format: convert it")
        return path
    if path.suffix == ".safetensors":
        raise ConfigError(f"{weights} does not exist: give --weights the path of a safetensors file")
    folder = path if path.is_dir() else find_weights(weights, say, option="--weights")
    found = sorted(folder.glob("*.safetensors"))
    if len(found) != 1:
        count = "several safetensors files" if found else "no safetensors file"
        raise ConfigError(f"{weights} has {count}: give --weights the path of one")
    return found[0]


def read_weights(name: str, file: Path) -> dict[str, Any]:
    """The tensors of a safetensors file, by name; ConfigError: it is damaged."""
    from safetensors.torch import load_file

    try:
        return load_file(file)
    except Exception as error:  # the library's own error and those of the system
        raise ConfigError(f"the weights of {name} in {file} cannot be read: {one_line(error)}") from error


def fill(module: Any, tensors: dict[str, Any], name: str, file: Path) -> Any:
    """Give a module its weights; ConfigError: one is missing, or of another shape."""
    wanted = module.state_dict()
    for key, tensor in wanted.items():
        if key.endswith(".num_batches_tracked"):
            continue
        if key not in tensors:
            raise ConfigError(f"the weights in {file} are not those of {name}: {key} is missing")
        if tensors[key].shape != tensor.shape:
            shape = " x ".join(map(str, tensors[key].shape))
            raise ConfigError(f"the weights in {file} are not those of {name}: {key} is {shape}")
    module.load_state_dict({key: tensors[key] for key in wanted if key in tensors}, strict=False)
    return module


def _scaled(module: Any, scale: float, shift: float) -> Any:
    import torch

    class Scaled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            features: torch.Tensor = self.module(pixels.permute(0, 3, 1, 2).float() * scale + shift)
            return features

    return Scaled()
