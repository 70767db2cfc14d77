"""Light: how dark, bright and even a picture is."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cutline.imaging.decoded import DecodedPicture
from cutline.interfaces import Measure
from cutline.measures.oklab import Floats
from cutline.measures.structure import bright_points

_SIDE: Final = 256


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """OKLab lightness, 0..1: dark end (5 %), median, bright end (95 %), and spread.

    ``backlit``: dark shapes in the middle or below, before a bright rest. ``points``: small lights
    in the dark. ``vignette``: lightness of the centre minus that of the rim.
    """

    dark: float
    median: float
    bright: float
    spread: float
    backlit: bool
    points: int
    vignette: float


def light_of(lightness: Floats, luma: Floats) -> Light:
    dark, median, bright = np.quantile(lightness, (0.05, 0.5, 0.95)).tolist()
    height, inner = len(lightness), core(lightness)
    dim, brilliant = lightness < 0.38, lightness > 0.86
    backlit = bool(
        dim.mean() > 0.15
        and brilliant.mean() > 0.2
        and dim.mean() + brilliant.mean() > 0.5
        and brilliant[: height // 2].sum() > 0.7 * brilliant.sum()
        and dim[height // 3 :].sum() > 0.75 * dim.sum()
    )
    return Light(
        dark=dark,
        median=median,
        bright=bright,
        spread=float(lightness.std()),
        backlit=backlit,
        points=bright_points(luma) if median < 0.45 else 0,
        vignette=float(inner.mean() - rim(lightness).mean()) if inner.size else 0.0,
    )


def core(values: NDArray[Any]) -> NDArray[Any]:
    """The middle half of both sides."""
    y, x = values.shape[0] // 4, values.shape[1] // 4
    return values[y : len(values) - y, x : values.shape[1] - x]


def rim(values: Floats) -> Floats:
    """The outermost tenth on each side, as a list of values."""
    y, x = max(1, values.shape[0] // 10), max(1, values.shape[1] // 10)
    mask = np.ones(values.shape[:2], dtype=bool)
    mask[y:-y, x:-x] = False
    return values[mask]


def _counts(picture: DecodedPicture) -> NDArray[np.int64]:
    """The histogram of lightness 0..255."""
    return picture.once("lightness", lambda: np.asarray(picture.scaled(_SIDE).convert("L").histogram()))


def _quantiles(picture: DecodedPicture, *shares: float) -> list[float]:
    """Quantiles of the lightness, 0..1."""
    below = np.cumsum(_counts(picture))
    return [int(np.searchsorted(below, share * below[-1])) / 255 for share in shares]


class Dark(Measure):
    """One minus the 99 % quantile of the lightness."""

    name = "dark"
    meaning = "darkness of the brightest parts"
    usual, bad = 0.05, 0.8

    def measure(self, picture: DecodedPicture) -> float:
        return 1 - _quantiles(picture, 0.99)[0]


class Washed(Measure):
    """The 5 % quantile of the lightness."""

    name = "washed"
    meaning = "lightness of the darkest parts, as in fog or after overexposure"
    usual, bad = 0.08, 0.55

    def measure(self, picture: DecodedPicture) -> float:
        return _quantiles(picture, 0.05)[0]


class Clipped(Measure):
    """The share of pixels at 250 of 255 or above."""

    name = "clipped"
    meaning = "share of the area that is blown out to white"
    usual, bad = 0.01, 0.5

    def measure(self, picture: DecodedPicture) -> float:
        counts = _counts(picture)
        return float(counts[250:].sum() / counts.sum())


class Contrast(Measure):
    """The range of lightness, without the outer hundredths."""

    name = "contrast"
    meaning = "range from dark to light"
    usual, bad = 0.9, 0.2

    def measure(self, picture: DecodedPicture) -> float:
        dark, bright = _quantiles(picture, 0.01, 0.99)
        return bright - dark


class Entropy(Measure):
    """Bits a pixel (Shannon, "A Mathematical Theory of Communication", 1948) of the lightness."""

    name = "entropy"
    meaning = "bits of lightness a pixel; an empty page has none"
    high = 8.0
    usual, bad = 7.3, 2.0

    def measure(self, picture: DecodedPicture) -> float:
        counts = _counts(picture)
        shares = counts[counts > 0] / counts.sum()
        return float(-(shares * np.log2(shares)).sum()) + 0.0  # no -0.0
