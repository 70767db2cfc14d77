"""Small pictures for a page: upright, without the metadata of the photo they come from."""

from __future__ import annotations

import dataclasses
import io
from typing import Final

import pybase64
from PIL.Image import Resampling

from cutline.imaging import Picture

_SIDES: Final = ((300, 480), (1500, 320), (6000, 200))  # number of pictures, pixels of a side
_SMALLEST: Final = 128
_QUALITY: Final = 74


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """A JPEG as a data URL; ``width`` and ``height`` in pixels."""

    url: str
    width: int
    height: int


def side_for(count: int) -> int:
    """The longest side of each of ``count`` thumbnails, so that a page of thousands still opens."""
    return next((side for most, side in _SIDES if count <= most), _SMALLEST)


def thumbnail(picture: Picture, side: int) -> Thumbnail:
    """Decode and shrink, blocking; PictureError: it cannot be read or opened."""
    image = picture.image(max_side=side)
    image.info.clear()  # a comment in it would be saved along
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY, optimize=True, progressive=True)
    data = pybase64.b64encode(buffer.getvalue()).decode()
    return Thumbnail(url=f"data:image/jpeg;base64,{data}", width=image.width, height=image.height)


def small_jpeg(picture: Picture, side: int) -> bytes:
    """The picture at most ``side`` pixels long, blocking; PictureError: it cannot be read or opened."""
    return colored_jpeg(picture, side)[0]


def colored_jpeg(picture: Picture, side: int) -> tuple[bytes, int]:
    """``small_jpeg``, and the picture's average colour as ``0xRRGGBB``."""
    image = picture.image(max_side=side, coarse=True)
    image.info.clear()
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    red, green, blue = image.resize((1, 1), Resampling.BOX, reducing_gap=1.0).tobytes()
    return buffer.getvalue(), red << 16 | green << 8 | blue
