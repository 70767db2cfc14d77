"""Pictures like photographs, made by code: light that falls off, shapes, and detail at every scale.

python bench/pictures.py FOLDER --size 1024x768 --count 60
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw


def picture(width: int, height: int, seed: int) -> Image.Image:
    """Noise whose strength falls with its frequency, as in photographs, with a few hard edges."""
    rng = np.random.default_rng(seed)
    grey = _noise(rng, width, height, 46.0, finest=1)
    bands = []
    for _ in range(3):
        # Colour changes slowly: an eighth of the size holds all of it.
        tint = rng.uniform(90, 150) + _noise(rng, width // 8, height // 8, 15.0, finest=3)
        band = (_stretch(tint, width, height) + grey).clip(0, 255)
        bands.append(Image.fromarray(band.astype(np.uint8)))
    image = Image.merge("RGB", bands)
    _add_shapes(image, rng)
    return image


def _noise(rng: np.random.Generator, width: int, height: int, strength: float, finest: float) -> np.ndarray:
    """Sums noise of ever smaller cells, down to ``finest`` pixels."""
    values = np.zeros((height, width), np.float32)
    cell = max(width, height) / 2
    while cell >= finest:
        shape = (round(height / cell) + 2, round(width / cell) + 2)
        values += _stretch(rng.normal(0, strength, shape).astype(np.float32), width, height)
        cell /= 2
        strength *= 0.79
    return values


def _stretch(values: np.ndarray, width: int, height: int) -> np.ndarray:
    image = Image.fromarray(values.astype(np.float32, copy=False))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))


def _add_shapes(image: Image.Image, rng: np.random.Generator) -> None:
    layer = image.copy()
    draw = ImageDraw.Draw(layer)
    for _ in range(12):
        x, y = rng.uniform(0, image.width), rng.uniform(0, image.height)
        side = rng.uniform(0.03, 0.2) * image.width
        colour = tuple(int(value) for value in rng.integers(0, 255, 3))
        kind = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        kind((x, y, x + side, y + side * rng.uniform(0.4, 1.2)), fill=colour)
    image.paste(Image.blend(image, layer, 0.6))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", default="1024x768")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--quality", type=int, default=88)
    options = parser.parse_args()
    width, height = (int(side) for side in options.size.split("x"))
    options.folder.mkdir(parents=True, exist_ok=True)
    for seed in range(options.count):
        path = options.folder / f"{seed:03}.jpg"
        picture(width, height, seed).save(path, quality=options.quality)


if __name__ == "__main__":
    main()
