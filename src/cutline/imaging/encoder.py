"""Pixels to bytes that meet some Limits."""

from __future__ import annotations

import io
import math
import sys

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
    """Decode, shrink and encode; PictureError as ``decode``, ``too-large`` also if no size fits."""
    name = next(name for name in ("JPEG", "WEBP", "PNG") if name in limits.formats)
    side = min(limits.max_side or _LONGEST_SIDE[name], _LONGEST_SIDE[name])
    if name == "JPEG":
        planes = decoder.decode_ycbcr(data, path, max_pixels=max_pixels, max_side=side)
        if planes is not None:
            return _encode_within(_Raster(*planes), path, name, limits)
    opened = decoder.decode(data, path, max_pixels=max_pixels, max_side=side)
    small = not limits.max_bytes or len(data) <= limits.max_bytes
    if opened.untouchable and small and opened.format in limits.formats:
        width, height = opened.image.size
        return Encoded(data=data, mime=MIMES[opened.format], width=width, height=height)
    return _encode_within(_Raster(opened.image), path, name, limits)


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
                raise PictureError("too-large", f"{path}: cannot be encoded in {limit:,} bytes at any size")
            raster = raster.shrunk(side)
        data = raster.encoded(name, quality)
    width, height = raster.size
    return Encoded(data=data, mime=MIMES[name], width=width, height=height)


class _Raster:
    """One image, RGB or L, or the three planes of a JPEG.

    Planes take a third of RGB's work, as chroma is halved and no colour converted.
    """

    def __init__(self, *planes: Image.Image) -> None:
        self._planes = planes
        self.size = planes[0].size

    def shrunk(self, side: int) -> _Raster:
        size = pixels.target_size(*self.size, side)
        half = ((size[0] + 1) // 2, (size[1] + 1) // 2)
        luma, *chroma = self._planes
        return _Raster(
            pixels.shrink(luma, *luma.size, size),
            *(pixels.shrink(plane, *plane.size, half) for plane in chroma),
        )

    def encoded(self, name: str, quality: int) -> bytes:
        if name == "JPEG":
            return self._encoded_jpeg(quality)
        buffer = io.BytesIO()
        self._planes[0].save(buffer, name, quality=quality)  # PNG ignores it
        return buffer.getvalue()

    def _encoded_jpeg(self, quality: int) -> bytes:
        import numpy as np
        import simplejpeg

        data: bytes
        first, *chroma = (np.asarray(plane) for plane in self._planes)
        if chroma:
            height, width = first.shape
            if height % 2 or width % 2:
                # The encoder reads luma up to an even number of rows and columns, whatever lies there.
                first = np.pad(first, ((0, height % 2), (0, width % 2)), mode="edge")[:height, :width]
            data = simplejpeg.encode_jpeg_yuv_planes(first, *chroma, quality=quality)
            return data
        grey = first.ndim == 2
        data = simplejpeg.encode_jpeg(
            first[:, :, None] if grey else first,
            quality=quality,
            colorspace="GRAY" if grey else "RGB",
            colorsubsampling="Gray" if grey else "420",
        )
        return data
