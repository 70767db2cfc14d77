"""Pictures: the only place that opens image bytes."""

from __future__ import annotations

import dataclasses
import io

from PIL import Image, ImageOps

from cutline.errors import PictureError
from cutline.records import Location


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a receiver of pictures accepts.

    ``max_side``: longest side in pixels, 0 for no limit. ``max_bytes``: encoded size, 0 for no
    limit. ``formats``: Pillow's names of the formats it can read. ``quality``: of the JPEG that is
    made when the bytes cannot be sent as they are.
    """

    max_side: int = 1024
    max_bytes: int = 0
    formats: frozenset[str] = frozenset({"JPEG", "PNG", "WEBP"})
    quality: int = 85


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """Picture bytes that meet some Limits. ``width`` and ``height`` are upright, in pixels."""

    data: bytes
    mime: str
    width: int
    height: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PictureInfo:
    """What the header says. ``width`` and ``height`` are upright, in pixels."""

    format: str
    width: int
    height: int
    orientation: int = 1
    frames: int = 1


class Picture:
    """Encoded image bytes plus where they came from; read and opened only when asked.

    Not for concurrent use by several threads.
    """

    def __init__(self, location: Location, *, max_pixels: int = 64_000_000) -> None:
        self._location = location
        self._max_pixels = max_pixels
        self._data: bytes | None = None

    @property
    def path(self) -> str:
        return self._location.path

    @property
    def data(self) -> bytes:
        """The encoded bytes; reads them the first time (blocks)."""
        if self._data is None:
            self._data = self._location.read()
        return self._data

    def info(self) -> PictureInfo:
        with Image.open(io.BytesIO(self.data)) as image:
            return PictureInfo(format=image.format or "", width=image.width, height=image.height)

    def image(self, *, max_side: int = 0) -> Image.Image:
        """The first frame as upright RGB, alpha over white, at most ``max_side`` pixels long.

        Raises:
            PictureError: as ``info``, and ``decode`` for damaged data.
        """
        try:
            image = ImageOps.exif_transpose(Image.open(io.BytesIO(self.data))).convert("RGB")
        except (OSError, ValueError) as error:
            raise PictureError("decode", f"{self.path}: {error}") from error
        if max_side:
            image.thumbnail((max_side, max_side))
        return image

    def fit(self, limits: Limits) -> Encoded:
        """The picture within ``limits``; the untouched bytes where they already are.

        The last result is kept: a retry costs nothing.
        """
        image = self.image(max_side=limits.max_side)
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=limits.quality)
        return Encoded(data=buffer.getvalue(), mime="image/jpeg", width=image.width, height=image.height)
