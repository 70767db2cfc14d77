"""Bytes to upright pixels of a wanted size."""

from __future__ import annotations

import dataclasses
import math
from typing import TypeAlias

from PIL import Image

from cutline.imaging import jpeg, opener, pixels
from cutline.imaging.headers import Header, read_header
from cutline.imaging.values import HARD_MAX_PIXELS, PictureInfo

Planes: TypeAlias = tuple[Image.Image, Image.Image, Image.Image]
"""Luma, and both chromas at half the width and height (rounded up)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Opened:
    """``image`` is upright RGB or L. ``untouchable``: nothing about the file but its size needs a change."""

    image: Image.Image
    format: str
    untouchable: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class _Wanted:
    """The longest side, 0 for no limit, and whether it may be shrunk coarsely."""

    max_side: int
    coarse: bool


def inspect(data: bytes, path: str) -> PictureInfo:
    """What the header says; PictureError: ``unsupported``, ``too-large`` or ``decode``."""
    header = read_header(data)
    if header is not None:
        opener.check_size(path, header.width, header.height, HARD_MAX_PIXELS)
        width, height = header.upright
        turn, frames = header.orientation, header.frames
        return PictureInfo(format=header.format, width=width, height=height, orientation=turn, frames=frames)
    name = opener.format_of(data, path)
    with opener.reading(path, name, data):
        image = opener.open_image(data, name, path)
        width, height = image.size
        turn = opener.orientation_of(image)
        if turn > 4 and name != "TIFF":  # TIFF's reader has exchanged them already
            width, height = height, width
        frames = opener.frames_of(image)
        return PictureInfo(format=name, width=width, height=height, orientation=turn, frames=frames)


def decode(data: bytes, path: str, *, max_pixels: int, max_side: int, coarse: bool = False) -> Opened:
    """The first frame, upright, as RGB or L, within ``max_side`` pixels (0 for no limit).

    A JPEG of one scan may have more than ``max_pixels``: it is scaled down while it is decoded.
    ``coarse``: see ``Picture.image``. PictureError: ``unsupported``, ``too-large`` or ``decode``.
    """
    max_pixels = min(max_pixels, HARD_MAX_PIXELS)
    wanted = _Wanted(max_side, coarse)
    header = read_header(data)
    name = header.format if header else opener.format_of(data, path)
    if header is not None:
        _check_header(header, data, path, max_pixels)
    with opener.reading(path, name, data):
        if header is not None and name == "JPEG":
            opened = _decode_jpeg(data, path, header, max_pixels, wanted)
            if opened is not None:
                return opened
        image = opener.open_image(data, name, path)
        if isinstance(image, jpeg.JpegFile):
            return _decode_odd_jpeg(image, data, path, max_pixels, wanted)
        opener.check_size(path, *image.size, max_pixels)
        return _decode_any(image, name, wanted)


def decode_ycbcr(data: bytes, path: str, *, max_pixels: int, max_side: int) -> Planes | None:
    """As ``decode``, a colour JPEG in its own colours; None for all other pictures."""
    header = read_header(data)
    if header is None or header.format != "JPEG" or header.grey:
        return None
    max_pixels = min(max_pixels, HARD_MAX_PIXELS)
    _check_header(header, data, path, max_pixels)
    with opener.reading(path, "JPEG", data):
        image = jpeg.open_jpeg(data)
        max_side = jpeg.snap(*image.size, max_side)
        width, height = jpeg.draft(image, "YCbCr", max_side, max_pixels)
        opener.check_size(path, *image.size, max_pixels)
        luma, *chroma = image.split()
    size = pixels.target_size(width, height, max_side)
    half = ((size[0] + 1) // 2, (size[1] + 1) // 2)
    planes = [
        pixels.shrink(luma, width, height, size),
        *(pixels.shrink_coarsely(plane, width, height, half) for plane in chroma),
    ]
    luma, blue, red = (pixels.turn(plane, header.orientation) for plane in planes)
    return luma, blue, red


def _check_header(header: Header, data: bytes, path: str, max_pixels: int) -> None:
    scalable = header.format == "JPEG" and not header.buffered
    opener.check_size(path, header.width, header.height, HARD_MAX_PIXELS if scalable else max_pixels)
    if header.buffered:
        opener.check_work(path, jpeg.scan_work(data, header.width, header.height, header.scans))


def _decode_jpeg(data: bytes, path: str, header: Header, max_pixels: int, wanted: _Wanted) -> Opened | None:
    """By libjpeg-turbo directly; None where it finds something to complain about."""
    target = pixels.target_size(header.width, header.height, wanted.max_side)
    scale = jpeg.scale_for(header.width, header.height, target, max_pixels, coarse=wanted.coarse)
    opener.check_size(path, math.floor(header.width * scale), math.floor(header.height * scale), max_pixels)
    decoded = jpeg.decode_scaled(data, header, scale)
    return None if decoded is None else _finish(decoded, header.orientation, wanted, "JPEG")


def _decode_odd_jpeg(
    image: jpeg.JpegFile, data: bytes, path: str, max_pixels: int, wanted: _Wanted
) -> Opened:
    """CMYK, rare samplings, odd structure, and what libjpeg-turbo complained about."""
    scalable = not image.info.get("progressive")
    opener.check_size(path, *image.size, HARD_MAX_PIXELS if scalable else max_pixels)
    opener.check_work(path, jpeg.scan_work(data, *image.size, 0))
    width, height = jpeg.draft(image, None, wanted.max_side, max_pixels)
    opener.check_size(path, *image.size, max_pixels)
    turn = opener.orientation_of(image)
    return _finish(jpeg.Decoded(pixels.flatten(image), width, height), turn, wanted, "JPEG")


def _decode_any(image: Image.Image, name: str, wanted: _Wanted) -> Opened:
    untouchable = (
        name not in {"PNG", "WEBP", "TIFF"}
        and image.mode in {"RGB", "L", "P"}
        and not image.has_transparency_data
        and opener.frames_of(image) == 1
    )
    image.load()  # metadata may follow the pixels
    turn = 1 if name == "TIFF" else opener.orientation_of(image)  # TIFF's reader has turned it already
    flat = pixels.flatten(image)
    opened = _finish(jpeg.Decoded(flat, *flat.size), turn, wanted, name)
    unchanged = untouchable and turn == 1 and opened.image.size == flat.size
    return dataclasses.replace(opened, untouchable=unchanged)


def _finish(decoded: jpeg.Decoded, turn: int, wanted: _Wanted, name: str) -> Opened:
    image, width, height = decoded
    size = pixels.target_size(width, height, wanted.max_side)
    shrink = pixels.shrink_coarsely if wanted.coarse and image.size != size else pixels.shrink
    image = pixels.turn(shrink(image, width, height, size), turn)
    return Opened(image=image, format=name)
