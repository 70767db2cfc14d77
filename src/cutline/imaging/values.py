"""Records and limits of imaging."""

from __future__ import annotations

import dataclasses

DEFAULT_MAX_PIXELS = 64_000_000
"""What is decoded at most; a photo of 50 megapixels must pass, a bomb must not."""

HARD_MAX_PIXELS = 178_956_970
"""Above this nothing is opened, whatever the settings: the largest RGBA picture within 700 MB."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a receiver of pictures accepts.

    ``max_side``: longest side in pixels, 0 for no limit. ``max_bytes``: encoded size, 0 for no
    limit. ``formats``: Pillow's names of the formats it can read; JPEG, WEBP or PNG must be among
    them, for re-encoded pictures. ``quality``: of a re-encoded JPEG or WebP.
    """

    max_side: int = 1024
    max_bytes: int = 0
    formats: frozenset[str] = frozenset({"JPEG", "PNG", "WEBP"})
    quality: int = 85

    def __post_init__(self) -> None:
        if not self.formats & {"JPEG", "WEBP", "PNG"}:
            raise ValueError(f"formats need JPEG, WEBP or PNG among them, not only {sorted(self.formats)}")
        if not 1 <= self.quality <= 100:
            raise ValueError(f"quality goes from 1 to 100, not {self.quality}")
        if self.max_side < 0 or self.max_bytes < 0:
            raise ValueError("max_side and max_bytes cannot be negative")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """Picture bytes that meet some Limits. ``width`` and ``height`` are upright, in pixels."""

    data: bytes
    mime: str
    width: int
    height: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PictureInfo:
    """What the header says. ``width`` and ``height`` are upright, in pixels.

    ``format`` is Pillow's name, with JPEG for the several-pictures form of JPEG too; ``orientation``
    is the EXIF value (1 to 8) that the stored pixels carry; ``frames`` counts those of an animation
    or pages.
    """

    format: str
    width: int
    height: int
    orientation: int = 1
    frames: int = 1
