"""An aesthetic score: how much people would like a picture."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from cutline.encoders import DEFAULT_CLIP
from cutline.errors import ConfigError, MissingExtra
from cutline.formatting import one_line
from cutline.imaging.decoded import DecodedPicture
from cutline.interfaces import Measure, MeasureOptions, Say, silent
from cutline.measures.weights_version import weights_version
from cutline.weights import find_weights

if TYPE_CHECKING:
    from cutline.encoders.clip import Clip

DEFAULT_HEAD: Final = "ttj/sac-logos-ava1-l14-linearMSE"

_LAYERS: Final = (0, 2, 4, 6, 7)
_FILE: Final = "model.safetensors"


class Aesthetic(Measure):
    """A linear score of CLIP ViT-L/14 vectors.

    Source: Schuhmann, "improved-aesthetic-predictor", 2022, the head ``sac+logos+ava1-l14-linearMSE``. Its
    five layers have no activation between them, so they are one product.

    Raises:
        MissingExtra: the extra ``local`` is not installed.
        ConfigError: from ``open``: the weights cannot be loaded, or do not fit the CLIP model.
    """

    name = "aesthetic"
    meaning = "how much people would like it, of 10 (extra local, CLIP ViT-L/14)"
    low, high = -15.0, 25.0
    usual, bad = 5.3, 4.0
    is_slow = True

    def __init__(self, options: MeasureOptions) -> None:
        super().__init__(options)
        from cutline.encoders.clip import Clip

        self._model = options.aesthetic_model or DEFAULT_CLIP
        self._head_name = options.aesthetic_head or DEFAULT_HEAD
        self._clip: Clip = Clip(self._model, device=options.device)
        self._opening = threading.Lock()
        self._head: tuple[NDArray[np.float32], float] | None = None
        self.version = f"1 {weights_version(self._model)} {weights_version(self._head_name)}"

    def open(self, say: Say = silent) -> None:
        with self._opening:
            if self._head is None:
                head = load_head(self._head_name, say)
                find_weights(self._model, say, option="--aesthetic-model")
                self._clip.load(say)
                if self._clip.dimensions != len(head[0]):
                    raise ConfigError(
                        f"--aesthetic-head {self._head_name} is for vectors of {len(head[0])} numbers, "
                        f"{self._model} gives {self._clip.dimensions}: choose a CLIP ViT-L/14"
                    )
                self._head = head

    def measure(self, picture: DecodedPicture) -> float:
        self.open()
        assert self._head is not None
        weights, bias = self._head
        return float(self._clip.pictures([picture.image])[0] @ weights + bias)


def load_head(name: str, say: Say = silent) -> tuple[NDArray[np.float32], float]:
    """The weights and the bias of all layers together; ``name`` is a file, or a model on the hub.

    Raises:
        ConfigError: it does not exist, or has other layers.
        MissingExtra: the extra ``local`` is not installed.
    """
    try:
        from safetensors import SafetensorError
        from safetensors.numpy import load_file
    except ImportError:
        raise MissingExtra("the measure aesthetic", "local") from None
    file = Path(name) if Path(name).is_file() else find_weights(name, say, option="--aesthetic-head") / _FILE
    try:
        layers = load_file(file)
        product = np.eye(1, dtype=np.float64)
        bias = np.zeros(1)
        for layer in reversed(_LAYERS):
            bias = product @ layers[f"layers.{layer}.bias"].astype(np.float64) + bias
            product = product @ layers[f"layers.{layer}.weight"].astype(np.float64)
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise ConfigError(
            f"{file} lacks the layers of {DEFAULT_HEAD}: {type(error).__name__} {one_line(error)}; "
            "give its .safetensors file with --aesthetic-head"
        ) from None
    return product[0].astype(np.float32), float(bias[0])
