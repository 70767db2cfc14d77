"""A city at night, and a lighthouse at dusk."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from cutline.sample_pictures.brushes import (
    HEIGHT,
    WIDTH,
    Floats,
    Pen,
    as_floats,
    clouds,
    colour,
    finish,
    flat,
    glow,
    grid,
    mix,
    ramp,
    smooth,
)

LAMP = (0.247, 0.267)


def skyline() -> Image.Image:
    random = np.random.default_rng(8)
    city = smooth(lambda pen: _towers(pen, random), _night(random))
    shown = as_floats(city) + 0.45 * as_floats(city.filter(ImageFilter.GaussianBlur(7)))
    return finish(_with_water(shown, int(HEIGHT * 0.86)), vignette=0.15)


def _night(random: np.random.Generator) -> Image.Image:
    x, y = grid()
    scene = ramp(y, (0, "070b22"), (0.45, "14204a"), (0.75, "3c3f78"), (1, "8a5a74"))
    scene += glow(x, y, (1.08, 0.16), 0.10)[..., None] * 0.22
    moon = ((0.042 - np.hypot(x - 1.08, y - 0.16)) * HEIGHT / 1.5).clip(0, 1)
    scene = mix(scene, flat("f6efdc", scene), moon)
    scene[(random.random((HEIGHT, WIDTH)) > 0.9994) & (y < 0.55)] = 0.9
    return finish(scene, vignette=0.1)


def _towers(pen: Pen, random: np.random.Generator) -> None:
    """Three rows of houses, the nearer the darker; the farthest without lit windows."""
    rows = (("#1d2550", 0.34, 0.6, ""), ("#10163a", 0.28, 0.56, "99"), ("#080b20", 0.16, 0.42, "ff"))
    for shade, low, high, strength in rows:
        left = -20
        while left < WIDTH:
            wide = int(random.integers(44, 96))
            top = int(HEIGHT * (1 - random.uniform(low, high)) * 0.93)
            pen.box(left, top, left + wide, HEIGHT, shade)
            if random.random() < 0.25:
                pen.line([(left + wide // 2, top - 40), (left + wide // 2, top)], shade, 2)
            if strength:
                _windows(pen, random, (left, top, wide), strength)
            left += wide + int(random.integers(0, 10))


def _windows(pen: Pen, random: np.random.Generator, house: tuple[int, int, int], strength: str) -> None:
    left, top, wide = house
    for y in range(top + 10, HEIGHT - 70, 14):
        for x in range(left + 7, left + wide - 8, 11):
            if random.random() < 0.42:
                tint = random.choice(["ffd27a", "ffe9b0", "ffb65c", "cfe4ff"])
                pen.box(x, y, x + 5, y + 7, f"#{tint}{strength}")


def _with_water(shown: Floats, top: int) -> Floats:
    """What is above ``top`` again below it, upside down, half as high, darker and swaying."""
    deep = HEIGHT - top
    mirror = shown[top - deep * 2 : top : 2][::-1][:deep]
    sway = (np.sin(np.arange(deep) * 0.9) * np.arange(deep) * 0.03).astype(int)
    rows = [np.roll(row, shift, axis=0) for row, shift in zip(mirror, sway, strict=True)]
    shown[top:] = np.stack(rows) * 0.55
    shown[top : top + 3] *= 0.3
    return shown


def lighthouse() -> Image.Image:
    x, y = grid(768, 1024)
    lit = as_floats(smooth(_tower, finish(_dusk(x, y).clip(0, 1), grain=0, vignette=0)))
    return finish(lit + glow(x, y, LAMP, 0.05)[..., None] * colour("fff0c0") * 0.5, vignette=0.25)


def _dusk(x: Floats, y: Floats) -> Floats:
    height, width = x.shape
    scene = ramp(y, (0, "22345c"), (0.35, "5c5f8e"), (0.62, "e09a86"), (0.74, "f6d2a8"))
    veil = ((clouds(91, width, height, stretch=3) - 0.5) * 1.8).clip(0, 0.7)
    scene = mix(scene, flat("f2b8a4", scene), veil)
    sea = ramp(y, (0.74, "b98a86"), (0.85, "4a5a78"), (1, "1c2a44"))
    sea = sea * (0.85 + 0.3 * clouds(92, width, height, stretch=10, levels=(1, 8)))[..., None]
    scene = mix(scene, sea, ((y - 0.74) * height).clip(0, 1))
    angle = np.arctan2(y - LAMP[1], x - LAMP[0])
    fading = np.exp(-np.hypot(x - LAMP[0], y - LAMP[1]) * 2.2)
    for direction in (0.12, np.pi - 0.2):
        off = np.abs((angle - direction + np.pi) % (2 * np.pi) - np.pi)
        scene += (np.exp(-((off / 0.07) ** 2)) * fading)[..., None] * colour("fff0c0") * 0.5
    return scene


def _tower(pen: Pen) -> None:
    shore = ((0, 860), (60, 820), (120, 835), (170, 790), (330, 785), (400, 830), (470, 845), (540, 900))
    pen.polygon((*shore, (560, 1024), (0, 1024)), "#1c1e26")
    for band in range(6):
        top, low = 320 + band * 80, 400 + band * 80
        a, b = 34 + band * 5, 39 + band * 5
        paint = "#efe6da" if band % 2 else "#c0392f"
        pen.polygon(((253 - a, top), (253 + a, top), (253 + b, low), (253 - b, low)), paint)
    pen.box(200, 308, 306, 322, "#2a2c34")
    pen.box(224, 240, 282, 308, "#ffe9a8")
    for x in (224, 243, 262, 281):
        pen.line([(x, 240), (x, 308)], "#2a2c34", 3)
    pen.polygon(((216, 242), (290, 242), (253, 196)), "#8a241e")
    for y in (420, 560, 690):
        pen.box(245, y, 261, y + 28, "#2c3040")
    # The side away from the evening light: many faint layers make a round shadow.
    for step in range(40):
        edge = 253 + step * 1.6
        pen.polygon(((edge, 320), (287, 320), (317, 800), (edge, 800)), "#10141e06")
