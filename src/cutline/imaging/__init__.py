"""Pictures: the only place that opens image bytes.

``Picture`` is the public class. Behind it: ``headers`` parses headers without decoding, ``opener`` and
``decoder`` open and decode bytes safely, ``jpeg`` decodes large JPEGs at a fraction of their size,
``pixels`` converts any mode to upright RGB, ``encoder`` encodes within a receiver's limits.
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
