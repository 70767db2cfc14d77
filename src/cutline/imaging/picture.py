"""A picture whose bytes are read, decoded and encoded on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cutline.errors import PictureError
from cutline.files import content_digest
from cutline.formatting import printable
from cutline.imaging.formats import MIMES
from cutline.imaging.headers import Header, read_header
from cutline.imaging.values import DEFAULT_MAX_PIXELS, Encoded, Limits, PictureInfo
from cutline.records import Location

if TYPE_CHECKING:
    from PIL import Image


class Picture:
    """Encoded image bytes and their location; read and decoded lazily.

    ``max_pixels`` are decoded at most; a JPEG with more is scaled down while it is decoded, any other
    picture with more is refused. With ``keep_data=False`` the bytes are dropped once ``fit`` has a result;
    ``data`` then reads them again. ``digest`` is that of the bytes as they were read; empty before.

    Not for concurrent use by several threads.
    """

    __slots__ = ("_data", "_fitted", "_keep_data", "_location", "_max_pixels", "digest")

    def __init__(
        self, location: Location, *, max_pixels: int = DEFAULT_MAX_PIXELS, keep_data: bool = True
    ) -> None:
        self._location = location
        self._max_pixels = max_pixels
        self._keep_data = keep_data
        self._data: bytes | None = None
        self._fitted: tuple[Limits, Encoded] | None = None
        self.digest = ""

    @property
    def path(self) -> str:
        return self._location.path

    @property
    def etag(self) -> str:
        """As of the location."""
        return self._location.etag()

    @property
    def data(self) -> bytes:
        """The encoded bytes as they came; reads them the first time (blocks).

        Raises:
            PictureError: ``missing``, ``fetch``, ``bad-url`` or ``blocked-address``, from the location;
                ``changed``, when they are read again and are others.
        """
        if self._data is None:
            data = self._location.read()
            digest = content_digest(data)
            if self.digest not in {"", digest}:
                raise PictureError("changed", f"{self.path} was replaced while it was captioned")
            self._data, self.digest = data, digest
        return self._data

    def info(self) -> PictureInfo:
        """Format, upright size and frames, without decoding pixels.

        Raises:
            PictureError: as ``data``; ``unsupported``; ``too-large``; ``decode`` for a damaged header.
        """
        from cutline.imaging import decoder

        return decoder.inspect(self.data, printable(self.path))

    def image(self, *, max_side: int = 0, coarse: bool = False) -> Image.Image:
        """The first frame as upright RGB, alpha over white, at most ``max_side`` pixels long.

        ``max_side`` 0 gives every pixel, except of a JPEG above ``max_pixels``. Every call decodes again.
        ``coarse``: shrunk in less time, for people who look at many.

        Raises:
            PictureError: as ``info``, and ``decode`` for damaged data.
        """
        from cutline.imaging import decoder

        opened = decoder.decode(
            self.data,
            printable(self.path),
            max_pixels=self._max_pixels,
            max_side=max_side,
            coarse=coarse,
        )
        return opened.image if opened.image.mode == "RGB" else opened.image.convert("RGB")

    def fit(self, limits: Limits) -> Encoded:
        """The picture within ``limits``; the untouched bytes where they already are.

        Untouched means of an accepted format, within both sizes, upright, 8-bit RGB or grey without
        alpha, not animated, and whole. Otherwise the first frame is re-encoded, upright, as JPEG where
        that is accepted. The last result is cached for retries.

        Raises:
            PictureError: as ``image``; ``too-large`` also where no smaller size meets ``max_bytes``.
        """
        untouched = self.fit_untouched(limits)
        if untouched is not None:
            return untouched
        from cutline.imaging import encoder

        encoded = encoder.fit(self.data, printable(self.path), limits, self._max_pixels)
        return self._keep(limits, encoded)

    def fit_untouched(self, limits: Limits) -> Encoded | None:
        """The result of ``fit`` where that needs no decoding (microseconds); else None. Reads the bytes."""
        if self._fitted is not None and self._fitted[0] == limits:
            return self._fitted[1]
        data = self.data
        header = read_header(data)
        if header is None or not self._fits(header, len(data), limits):
            return None
        mime = MIMES[header.format]
        return self._keep(limits, Encoded(data=data, mime=mime, width=header.width, height=header.height))

    def _keep(self, limits: Limits, encoded: Encoded) -> Encoded:
        self._fitted = (limits, encoded)
        if not self._keep_data:
            self._data = None
        return encoded

    def release(self) -> None:
        """Drop the bytes, and from now on behave as with ``keep_data=False``; ``fit``'s last result stays."""
        self._keep_data = False
        self._data = None

    def _fits(self, header: Header, size: int, limits: Limits) -> bool:
        return (
            header.plain
            and header.orientation == 1
            and header.format in limits.formats
            and (not limits.max_bytes or size <= limits.max_bytes)
            and (not limits.max_side or max(header.width, header.height) <= limits.max_side)
            and header.width * header.height <= self._max_pixels
        )
