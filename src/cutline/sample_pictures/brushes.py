"""What scenes are made with: noise, ramps of colour, light, and the film-like end of every scene."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Floats = NDArray[np.floating[Any]]
WIDTH, HEIGHT = 1024, 768


def colour(code: str) -> Floats:
    return np.array(list(bytes.fromhex(code)), dtype=np.float32) / 255


def ramp(t: Floats, *stops: tuple[float, str]) -> Floats:
    """Colours along ``t`` (any shape, 0..1) between (position, hex code) stops."""
    places = [place for place, _ in stops]
    codes = np.array([colour(code) for _, code in stops])
    return np.stack([np.interp(t, places, codes[:, k]) for k in range(3)], axis=-1).astype(np.float32)


def grid(width: int = WIDTH, height: int = HEIGHT) -> tuple[Floats, Floats]:
    """Pixel positions: x from 0 to width / height, y from 0 (top) to 1."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / height
    return x, y


def clouds(
    seed: int,
    width: int = WIDTH,
    height: int = HEIGHT,
    *,
    stretch: float = 1.0,
    levels: tuple[int, int] = (1, 6),
) -> Floats:
    """Soft noise 0..1: layers of ever finer random grids, each half as strong."""
    random = np.random.default_rng(seed)
    total = np.zeros((height, width), dtype=np.float32)
    weight = 0.0
    for level in range(levels[0], levels[1] + 1):
        rows, columns = 2**level + 1, max(2, round((2**level) * width / height / stretch)) + 1
        layer = Image.fromarray(random.random((rows, columns), dtype=np.float32))
        total += np.asarray(layer.resize((width, height), Image.Resampling.BICUBIC)) * 0.55**level
        weight += 0.55**level
    total /= weight
    low, high = np.quantile(total, (0.01, 0.99))
    return np.asarray((total - low) / (high - low), np.float32).clip(0, 1)


def ridge(seed: int, width: int, *, rough: float = 0.55, levels: int = 8) -> Floats:
    """A mountain line, 0..1, one value a column."""
    random = np.random.default_rng(seed)
    x = np.linspace(0, 1, width)
    line = np.zeros(width)
    for level in range(1, levels):
        knots = 2**level + 1
        line += np.interp(x, np.linspace(0, 1, knots), random.random(knots)) * rough**level
    return np.asarray((line - line.min()) / np.ptp(line), np.float32)


def mix(below: Floats, above: Floats, share: Floats) -> Floats:
    return below + (above - below) * share[..., None]


def glow(x: Floats, y: Floats, at: tuple[float, float], size: float) -> Floats:
    return np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * size**2)).astype(np.float32)


def finish(scene: Floats, *, grain: float = 0.012, vignette: float = 0.25, seed: int = 1) -> Image.Image:
    """A film-like end: darker corners, fine grain, 8 bits."""
    height, width = scene.shape[:2]
    x, y = grid(width, height)
    away = ((x / x.max() - 0.5) ** 2 + (y - 0.5) ** 2) * 2
    scene = scene * (1 - vignette * away**1.5)[..., None]
    noise = np.random.default_rng(seed).standard_normal((height, width, 1), dtype=np.float32)
    return Image.fromarray(((scene + grain * noise) * 255).clip(0, 255).astype(np.uint8))


class Pen:
    """Draws in the pixels of the finished picture on a larger one, which makes edges soft when reduced.

    Fills are ``#rrggbb`` or ``#rrggbbaa``.
    """

    def __init__(self, image: Image.Image, scale: int) -> None:
        self._draw = ImageDraw.Draw(image, "RGBA")
        self._scale = scale

    def polygon(self, points: Sequence[tuple[float, float]], fill: str) -> None:
        self._draw.polygon([(x * self._scale, y * self._scale) for x, y in points], fill=fill)

    def oval(self, x: float, y: float, half_width: float, half_height: float, fill: str) -> None:
        box = (x - half_width, y - half_height, x + half_width, y + half_height)
        self._draw.ellipse([side * self._scale for side in box], fill=fill)

    def box(self, left: float, top: float, right: float, bottom: float, fill: str, radius: float = 0) -> None:
        sides = [side * self._scale for side in (left, top, right, bottom)]
        self._draw.rounded_rectangle(sides, radius * self._scale, fill=fill)

    def line(self, points: Sequence[tuple[float, float]], fill: str, width: int) -> None:
        self._draw.line([(x * self._scale, y * self._scale) for x, y in points], fill, width * self._scale)

    def text(self, x: float, y: float, words: str, fill: str, size: int, anchor: str = "la") -> None:
        font = ImageFont.load_default(size * self._scale)
        self._draw.text((x * self._scale, y * self._scale), words, fill, font=font, anchor=anchor)


def smooth(draw: Callable[[Pen], None], ground: Image.Image, scale: int = 2) -> Image.Image:
    """``ground`` with ``draw`` on it, with soft edges."""
    large = ground.resize((ground.width * scale, ground.height * scale), Image.Resampling.BICUBIC)
    draw(Pen(large, scale))
    return large.resize(ground.size, Image.Resampling.LANCZOS)


def as_floats(image: Image.Image) -> Floats:
    return np.asarray(image.convert("RGB"), dtype=np.float32) / 255


def flat(code: str, like: Floats) -> Floats:
    """One colour, as large as another scene."""
    return np.broadcast_to(colour(code), like.shape)
