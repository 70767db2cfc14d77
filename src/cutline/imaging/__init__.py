"""Pictures: the only place that opens image bytes.

``Picture`` is what the rest of cutline holds. Behind it: ``headers`` reads what can be told without
decoding, ``decoding`` opens bytes safely, ``jpeg`` decodes large JPEGs at a fraction of their size,
``pixels`` makes any mode upright RGB, ``encoding`` makes bytes that a receiver accepts.
"""

from __future__ import annotations

from cutline.imaging.formats import EXTENSIONS, can_open_heic, sniff_format
from cutline.imaging.picture import Picture
from cutline.imaging.values import DEFAULT_MAX_PIXELS, Encoded, Limits, PictureInfo

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "EXTENSIONS",
    "Encoded",
    "Limits",
    "Picture",
    "PictureInfo",
    "can_open_heic",
    "sniff_format",
]
