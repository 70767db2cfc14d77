"""Measurements of one picture."""

from __future__ import annotations

import dataclasses
import hashlib
import math

import numpy as np
from PIL import Image

from cutline.captioners.pixels.colours import Floats, Swatch, core, palette_of, to_oklab
from cutline.captioners.pixels.structure import Structure, bright_points, structure_of

_PALETTE_SIDE = 80


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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Colour:
    """``chroma``: the OKLab mean. ``tinted``: share of pixels with a visible hue. ``warmth``: -1 (all of
    these cool) to 1 (all warm). ``hue``: mean in degrees; ``one_hue``: how alike hues are, 0..1.
    """

    chroma: float
    tinted: float
    warmth: float
    hue: float
    one_hue: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Measurements:
    """``width``, ``height``: upright, in pixels. ``flavour``: a hash of the pixels, to choose wordings.
    ``plain_rim``: how even the border's colour, called ``rim_name``, is, 0..1; ``subject``: how far the
    centre's colour is from it.
    """

    width: int
    height: int
    flavour: int
    light: Light
    colour: Colour
    palette: tuple[Swatch, ...]
    structure: Structure
    plain_rim: float
    subject: float
    rim_name: str


def measure(image: Image.Image, *, width: int, height: int) -> Measurements:
    """Measure an upright RGB image of about 384 pixels that shows a picture of ``width`` by ``height``."""
    scale = max(1.0, max(image.size) / _PALETTE_SIDE)
    size = (max(1, round(image.width / scale)), max(1, round(image.height / scale)))
    small = np.asarray(image.resize(size, Image.Resampling.BOX), dtype=np.uint8)
    lab = to_oklab(small)
    luma = np.asarray(image.convert("L"), dtype=np.float32) / np.float32(255)
    palette = palette_of(small)
    plain_rim, subject, rim = _subject(lab)
    return Measurements(
        width=width,
        height=height,
        flavour=int.from_bytes(hashlib.blake2b(small.tobytes(), digest_size=6).digest()),
        light=_light(lab[..., 0], luma),
        colour=_colour(lab),
        palette=palette,
        structure=structure_of(luma),
        plain_rim=plain_rim,
        subject=subject,
        rim_name=min(palette, key=lambda swatch: math.dist(swatch.lab, rim)).name,
    )


def _light(lightness: Floats, luma: Floats) -> Light:
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
        vignette=float(inner.mean() - _rim(lightness).mean()) if inner.size else 0.0,
    )


def _colour(lab: Floats) -> Colour:
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    mean, tinted = float(chroma.mean()), chroma > 0.025
    if not tinted.any():
        return Colour(chroma=mean, tinted=0.0, warmth=0.0, hue=0.0, one_hue=0.0)
    chroma, (_, a, b) = chroma[tinted], lab[tinted].T
    hue, weight = np.degrees(np.arctan2(b, a)) % 360, float(chroma.sum())
    warm = float(chroma[(hue < 112) | (hue > 345)].sum())
    cool = float(chroma[(hue > 160) & (hue < 310)].sum())
    return Colour(
        chroma=mean,
        tinted=float(tinted.mean()),
        warmth=(warm - cool) / weight,
        hue=math.degrees(math.atan2(b.sum(), a.sum())) % 360,
        one_hue=math.hypot(a.sum(), b.sum()) / weight,
    )


def _rim(values: Floats) -> Floats:
    """The outermost tenth on each side, as a list of values."""
    y, x = max(1, values.shape[0] // 10), max(1, values.shape[1] // 10)
    mask = np.ones(values.shape[:2], dtype=bool)
    mask[y:-y, x:-x] = False
    return values[mask]


def _subject(lab: Floats) -> tuple[float, float, list[float]]:
    rim, (height, width) = _rim(lab), lab.shape[:2]
    median = np.median(rim, axis=0).astype(np.float32)
    away = np.sqrt(((rim - median) ** 2 * (1, 4, 4)).sum(axis=1))
    middle = lab[height * 3 // 10 : height * 7 // 10 + 1, width * 3 // 10 : width * 7 // 10 + 1]
    far = np.sqrt(((middle - median) ** 2).sum(axis=2))
    return float((away < 0.1).mean()), float((far > 0.15).mean()), median.tolist()
