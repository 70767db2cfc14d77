"""Pixels to bytes that meet some Limits."""

from __future__ import annotations

import io
import math
import sys

from PIL import Image

from cutline.errors import PictureError
from cutline.imaging import decoding, pixels
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
    opened = decoding.decode(data, path, max_pixels=max_pixels, max_side=side)
    small = not limits.max_bytes or len(data) <= limits.max_bytes
    if opened.untouchable and small and opened.format in limits.formats:
        return Encoded(
            data=data, mime=MIMES[opened.format], width=opened.image.width, height=opened.image.height
        )
    return _encode_within(opened.image, path, name, limits)


def _encode_within(image: Image.Image, path: str, name: str, limits: Limits) -> Encoded:
    limit = limits.max_bytes or sys.maxsize
    lower = [quality for quality in _QUALITIES if quality < limits.quality and name != "PNG"]
    for quality in (limits.quality, *lower):
        made = _encode(image, name, quality)
        if len(made.data) <= limit:
            return made
    while len(made.data) > limit:
        # Bytes go with the area, roughly; a little less makes sure that the loop gets on.
        factor = min(0.9, 0.97 * math.sqrt(limit / len(made.data)))
        side = int(max(image.size) * factor)
        if side < _SMALLEST_SIDE:
            raise PictureError("too-large", f"{path}: it cannot be made to fit {limit:,} bytes")
        image = pixels.shrink(image, *image.size, pixels.target_size(*image.size, side))
        made = _encode(image, name, quality)
    return made


def _encode(image: Image.Image, name: str, quality: int) -> Encoded:
    if name == "JPEG":
        data = _encode_jpeg(image, quality)
    else:
        buffer = io.BytesIO()
        image.save(buffer, name, quality=quality)  # PNG has no use for it
        data = buffer.getvalue()
    return Encoded(data=data, mime=MIMES[name], width=image.width, height=image.height)


def _encode_jpeg(image: Image.Image, quality: int) -> bytes:
    import numpy as np
    import simplejpeg

    grey = image.mode == "L"
    values = np.asarray(image)
    data: bytes = simplejpeg.encode_jpeg(
        values[:, :, None] if grey else values,
        quality=quality,
        colorspace="GRAY" if grey else "RGB",
        colorsubsampling="Gray" if grey else "420",
    )
    return data
