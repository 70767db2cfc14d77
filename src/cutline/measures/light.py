"""Light: how dark, bright and even a picture is."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutline.measures.oklab import Floats
from cutline.measures.structure import bright_points


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
