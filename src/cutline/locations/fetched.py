"""Pictures that were downloaded to be measured, kept for their captions."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import BinaryIO, Final

from cutline.locations.stored import InlineBytes

LIMIT: Final = 512 << 20  # bytes

_SHARE: Final = 10  # of the free disk, a tenth


class FetchedPictures:
    """The first pictures of an input in one file without a name, which is gone when the process ends.

    What is beyond ``limit`` bytes, or a tenth of the free disk, is not kept. Not for several threads.
    """

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self._folder = folder
        self._limit = limit
        self._file: BinaryIO | None = None
        self._end = 0
        self._places: dict[str, tuple[int, int, str, str]] = {}

    def put(self, url: str, picture: InlineBytes) -> None:
        """Keep a picture, if there is room."""
        size = len(picture.data)
        with contextlib.suppress(OSError):  # a full disk: it is downloaded again
            if self._file is None:
                self._limit = min(self._limit, shutil.disk_usage(self._folder).free // _SHARE)
                self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed in close
            if self._end + size > self._limit:
                return
            self._file.seek(self._end)
            self._file.write(picture.data)
            self._file.flush()
            self._places[url] = (self._end, size, picture.name, picture.validator)
            self._end += size

    def take(self, url: str) -> InlineBytes | None:
        """A picture that is kept, once: another row with its URL downloads it."""
        place = self._places.pop(url, None)
        if place is None or self._file is None:
            return None
        offset, size, name, validator = place
        self._file.seek(offset)
        data = self._file.read(size)
        return InlineBytes(data, name, validator) if len(data) == size else None

    def close(self) -> None:
        self._places.clear()
        if self._file is not None:
            self._file.close()
            self._file = None
