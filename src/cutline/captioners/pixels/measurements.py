"""Measurements of one picture."""

from __future__ import annotations

import dataclasses
import hashlib
import math

import numpy as np
from PIL import Image

from cutline.captioners.pixels.colours import Swatch, palette_of
from cutline.measures.colour import Colour, colour_of
from cutline.measures.light import Light, light_of, rim
from cutline.measures.oklab import Floats, to_oklab
from cutline.measures.structure import Structure, structure_of

_PALETTE_SIDE = 80


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
    plain_rim, subject, border = _subject(lab)
    return Measurements(
        width=width,
        height=height,
        flavour=int.from_bytes(hashlib.blake2b(small.tobytes(), digest_size=6).digest()),
        light=light_of(lab[..., 0], luma),
        colour=colour_of(lab),
        palette=palette,
        structure=structure_of(luma),
        plain_rim=plain_rim,
        subject=subject,
        rim_name=min(palette, key=lambda swatch: math.dist(swatch.lab, border)).name,
    )


def _subject(lab: Floats) -> tuple[float, float, list[float]]:
    border, (height, width) = rim(lab), lab.shape[:2]
    median = np.median(border, axis=0).astype(np.float32)
    away = np.sqrt(((border - median) ** 2 * (1, 4, 4)).sum(axis=1))
    middle = lab[height * 3 // 10 : height * 7 // 10 + 1, width * 3 // 10 : width * 7 // 10 + 1]
    far = np.sqrt(((middle - median) ** 2).sum(axis=2))
    return float((away < 0.1).mean()), float((far > 0.15).mean()), median.tolist()
