"""Pictures that measures are tried on: a scene with detail, and what can be wrong with it."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageFilter

from cutline.imaging import Picture
from cutline.imaging.decoded import DecodedPicture
from cutline.locations.stored import InlineBytes


def scene(width=480, height=360, seed=1):
    """Coloured boxes of all sizes over a ramp: dark, light and sharp parts; another one for each seed."""
    drawn = np.random.default_rng(seed)
    pixels = np.linspace(20, 200, width, dtype=np.float32)[None, :, None] * np.ones(
        (height, 1, 3), np.float32
    )
    for _ in range(90):
        w, h = drawn.integers(8, max(9, width // 4)), drawn.integers(8, max(9, height // 4))
        x, y = drawn.integers(0, width), drawn.integers(0, height)
        pixels[y : y + h, x : x + w] = drawn.integers(0, 256, 3)
    return Image.fromarray(pixels.astype(np.uint8))


def blurred(image, sigma=3):
    return image.filter(ImageFilter.GaussianBlur(sigma))


def shaken(image, length=13):
    pixels = np.asarray(image, dtype=np.float32)
    steps = [np.roll(pixels, step, axis=1) for step in range(length)]
    return Image.fromarray(np.mean(steps, axis=0).astype(np.uint8))


def lit(image, factor=1.0, plus=0.0):
    return Image.fromarray(np.clip(np.asarray(image, np.float32) * factor + plus, 0, 255).astype(np.uint8))


def flat(image, share=0.2):
    return lit(image, share, 128 * (1 - share))


def file_of(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def decoded(image, kind="PNG", **options):
    return DecodedPicture.of(Picture(InlineBytes(file_of(image, kind, **options), "picture")))


def save_photos(folder, sharp):
    """As many sharp pictures, a blurred one, a small one, and a smaller copy of the second."""
    folder.mkdir()
    for seed in range(sharp):
        scene(seed=seed).save(folder / f"good{seed}.png")
    blurred(scene(seed=9)).save(folder / "soft.png")
    scene(90, 70, seed=10).save(folder / "small.png")
    scene(seed=1).resize((360, 270)).save(folder / "copy.png")
    return folder
