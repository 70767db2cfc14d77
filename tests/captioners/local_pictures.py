"""Pictures that differ in colour and layout, drawn by code, for models that know nothing."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image, ImageDraw

COLOURS = ((200, 30, 40), (30, 160, 60), (40, 60, 200), (230, 200, 40), (20, 20, 30), (240, 240, 235))


def picture(number: int, size: tuple[int, int] = (96, 80)) -> Image.Image:
    """The same number always gives the same picture."""
    width, height = size
    image = Image.new("RGB", size, COLOURS[number % len(COLOURS)])
    draw = ImageDraw.Draw(image)
    for place in range(4):
        colour = COLOURS[(number * 5 + place * 3 + 1) % len(COLOURS)]
        left = (number * 37 + place * 53) % (width // 2)
        top = (number * 23 + place * 31) % (height // 2)
        draw.ellipse((left, top, left + width // 3, top + height // 2), fill=colour)
    return image


def encoded(number: int) -> bytes:
    buffer = io.BytesIO()
    picture(number).save(buffer, "PNG")
    return buffer.getvalue()


def folder_of(folder: Path, count: int) -> Path:
    """A folder of so many pictures, 000.png and on."""
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"{number:03d}.png").write_bytes(encoded(number))
    return folder
