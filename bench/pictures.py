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
    values = np.full((height, width, 3), rng.uniform(90, 150, 3), np.float32)
    cell = max(width, height) / 2
    strength = 46.0
    while cell >= 1:
        shape = (round(height / cell) + 2, round(width / cell) + 2)
        grey = rng.normal(0, strength, shape).astype(np.float32)
        values += _stretch(grey, width, height)[:, :, None]
        if cell > 24:  # colour changes slowly
            for channel in range(3):
                tint = rng.normal(0, strength / 3, shape).astype(np.float32)
                values[:, :, channel] += _stretch(tint, width, height)
        cell /= 2
        strength *= 0.79
    image = Image.fromarray(values.clip(0, 255).astype(np.uint8))
    _add_shapes(image, rng)
    return image


def _stretch(values: np.ndarray, width: int, height: int) -> np.ndarray:
    return np.asarray(Image.fromarray(values).resize((width, height), Image.Resampling.BICUBIC))


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
