"""Pixels to bytes that meet some Limits."""

from __future__ import annotations

import io
import math
import sys
from typing import Protocol

from PIL import Image

from cutline.errors import PictureError
from cutline.imaging import decoder, pixels
from cutline.imaging.formats import MIMES
from cutline.imaging.values import Encoded, Limits

# What the formats themselves can hold.
_LONGEST_SIDE = {"JPEG": 65_500, "WEBP": 16_383, "PNG": 2**31 - 1}
# Tried in turn for a picture with too many bytes, before it is made smaller.
_QUALITIES = (75, 65, 55)
_SMALLEST_SIDE = 32


def fit(data: bytes, path: str, limits: Limits, max_pixels: int) -> Encoded:
    """Decode, shrink and encode until the limits are met.

    Raises:
        PictureError: ``unsupported`` or ``decode``; ``too-large`` also where no size meets ``max_bytes``.
    """
    name = next(name for name in ("JPEG", "WEBP", "PNG") if name in limits.formats)
    side = min(limits.max_side or _LONGEST_SIDE[name], _LONGEST_SIDE[name])
    if name == "JPEG":
        planes = decoder.decode_ycbcr(data, path, max_pixels=max_pixels, max_side=side)
        if planes is not None:
            return _encode_within(_YCbCr(planes), path, name, limits)
    opened = decoder.decode(data, path, max_pixels=max_pixels, max_side=side)
    small = not limits.max_bytes or len(data) <= limits.max_bytes
    if opened.untouchable and small and opened.format in limits.formats:
        width, height = opened.image.size
        return Encoded(data=data, mime=MIMES[opened.format], width=width, height=height)
    return _encode_within(_Plain(opened.image), path, name, limits)


class _Raster(Protocol):
    """Pixels that can be made smaller and encoded, whatever their colours."""

    @property
    def size(self) -> tuple[int, int]: ...

    def shrunk(self, side: int) -> _Raster: ...

    def encoded(self, name: str, quality: int) -> bytes: ...


def _encode_within(raster: _Raster, path: str, name: str, limits: Limits) -> Encoded:
    limit = limits.max_bytes or sys.maxsize
    lower = [quality for quality in _QUALITIES if quality < limits.quality and name != "PNG"]
    quality = limits.quality
    data = raster.encoded(name, quality)
    while len(data) > limit:
        if lower:
            quality = lower.pop(0)
        else:  # bytes go with the area, roughly; a little less makes sure that the loop gets on
            side = int(max(raster.size) * min(0.9, 0.97 * math.sqrt(limit / len(data))))
            if side < _SMALLEST_SIDE:
                raise PictureError("too-large", f"{path}: no size of it fits into {limit:,} bytes")
            raster = raster.shrunk(side)
        data = raster.encoded(name, quality)
    width, height = raster.size
    return Encoded(data=data, mime=MIMES[name], width=width, height=height)


class _Plain:
    """One image, RGB or L."""

    def __init__(self, image: Image.Image) -> None:
        self._image = image

    @property
    def size(self) -> tuple[int, int]:
        return self._image.size

    def shrunk(self, side: int) -> _Plain:
        size = self._image.size
        return _Plain(pixels.shrink(self._image, *size, pixels.target_size(*size, side)))

    def encoded(self, name: str, quality: int) -> bytes:
        if name == "JPEG":
            return self._encoded_jpeg(quality)
        buffer = io.BytesIO()
        self._image.save(buffer, name, quality=quality)  # PNG has no use for it
        return buffer.getvalue()

    def _encoded_jpeg(self, quality: int) -> bytes:
        import numpy as np
        import simplejpeg

        grey = self._image.mode == "L"
        values = np.asarray(self._image)
        data: bytes = simplejpeg.encode_jpeg(
            values[:, :, None] if grey else values,
            quality=quality,
            colorspace="GRAY" if grey else "RGB",
            colorsubsampling="Gray" if grey else "420",
        )
        return data


class _YCbCr:
    """The planes of a JPEG: a third of RGB's work, as chroma is halved and no colour converted."""

    def __init__(self, planes: decoder.Planes) -> None:
        self._planes = planes

    @property
    def size(self) -> tuple[int, int]:
        return self._planes[0].size

    def shrunk(self, side: int) -> _YCbCr:
        luma, blue, red = self._planes
        size = pixels.target_size(*luma.size, side)
        half = ((size[0] + 1) // 2, (size[1] + 1) // 2)
        return _YCbCr(
            (
                pixels.shrink(luma, *luma.size, size),
                pixels.shrink(blue, *blue.size, half),
                pixels.shrink(red, *red.size, half),
            )
        )

    def encoded(self, name: str, quality: int) -> bytes:
        import numpy as np
        import simplejpeg

        assert name == "JPEG"
        luma, blue, red = (np.asarray(plane) for plane in self._planes)
        height, width = luma.shape
        if height % 2 or width % 2:
            # The encoder reads luma up to an even number of rows and columns, whatever lies there.
            luma = np.pad(luma, ((0, height % 2), (0, width % 2)), mode="edge")[:height, :width]
        data: bytes = simplejpeg.encode_jpeg_yuv_planes(luma, blue, red, quality=quality)
        return data
