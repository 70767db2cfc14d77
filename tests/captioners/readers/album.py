"""Drawn pictures as files of many kinds, and what is to be seen in each."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from readers.drawing import GREYS, Scene, draw, some_scene, stored

ORIENTATION = 0x0112
SIZES = ((240, 180), (180, 240), (320, 214), (200, 300), (150, 150), (97, 131), (160, 109))
LARGE = ((2100, 1500), (1400, 2000))
"""More than the longest side that a model is given."""

Write = Callable[[Image.Image, Path], Path]
Change = Callable[[int, np.ndarray], np.ndarray]


def _jpeg(quality: int, subsampling: str = "4:2:0", **more) -> Write:
    def write(image, path):
        path = path.with_suffix(".jpg")
        image.save(path, quality=quality, subsampling=subsampling, **more)
        return path

    return write


def _turned(orientation: int, suffix: str = ".jpg", **more) -> Write:
    """The pixels as a camera that was held that way leaves them, and the tag that says so."""

    def write(image, path):
        path = path.with_suffix(suffix)
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        Image.fromarray(stored(np.asarray(image), orientation)).save(path, exif=exif, **more)
        return path

    return write


def _saved(suffix: str, **more) -> Write:
    def write(image, path):
        path = path.with_suffix(suffix)
        image.save(path, **more)
        return path

    return write


def _palette(image, path):
    path = path.with_suffix(".png")
    image.quantize(200).save(path)
    return path


def _grey_and_clear(image, path):
    path = path.with_suffix(".png")
    image.convert("LA").save(path)
    return path


KINDS: dict[str, Write] = {
    "jpeg-95": _jpeg(95, "4:4:4"),
    "jpeg-75": _jpeg(75),
    "jpeg-45": _jpeg(45),
    "jpeg-progressive": _jpeg(80, progressive=True),
    "jpeg-large": _jpeg(85),
    "png": _saved(".png"),
    "png-palette": _palette,
    "png-grey-alpha": _grey_and_clear,
    "webp": _saved(".webp", quality=75),
    **{f"exif-{orientation}": _turned(orientation, quality=85) for orientation in range(1, 9)},
    "exif-6-png": _turned(6, ".png"),
    "exif-8-webp": _turned(8, ".webp", quality=80),
}


def make_album(folder: Path, *, of_each: int, seed: int) -> dict[str, Scene]:
    """Files of all kinds by their names, which say the kind."""
    dice = random.Random(seed)
    scenes = {}
    for kind, write in KINDS.items():
        for number in range(of_each):
            width, height = LARGE[number % 2] if kind == "jpeg-large" else dice.choice(SIZES)
            clear = kind == "png-grey-alpha"
            scene = some_scene(dice, colours=GREYS if clear else ())
            image = draw(scene, dice, width=width, height=height, clear=clear)
            scenes[write(image, folder / f"{kind}_{number}").name] = scene
    return scenes


def make_changed(folder: Path, scenes: list[Scene], change: Change, *, seed: int) -> Path:
    """A JPEG without any tag of each scene, whose pixels ``change(number, pixels)`` gave."""
    dice = random.Random(seed)
    folder.mkdir()
    for number, scene in enumerate(scenes):
        width, height = dice.choice(SIZES)
        pixels = change(number, np.asarray(draw(scene, dice, width=width, height=height)))
        Image.fromarray(np.ascontiguousarray(pixels)).save(folder / f"{number:03}.jpg", quality=85)
    return folder
