"""A file of JSON lines that grows by whole lines."""

from __future__ import annotations

import codecs
import os
from collections.abc import Collection, Iterator
from pathlib import Path

import orjson

from cutline.errors import SinkError, SourceError
from cutline.files import write_errors
from cutline.records import JSON

MAX_LINE_BYTES = 256 * 1024 * 1024


class JournalFile:
    """Read it with ``load``, then ``open`` it to append. ``path`` is for messages too.

    ``read_only``: it is never changed, as another process may write it.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._read_only = read_only
        self._file = -1
        self._size = 0

    def load(self) -> Iterator[tuple[int, bytes]]:
        """Offset and text of each line; a half line at the end, after a death, is cut off.

        Raises:
            SourceError: the file cannot be read.
        """
        if not self.path.exists():
            return
        if not self.path.is_file():
            raise SourceError(
                f"{self.path} is not a file, as the journal is: move it away, or choose another --state"
            )
        end = 0
        try:
            with self.path.open("rb") as file:
                while line := file.readline(MAX_LINE_BYTES):
                    start = end
                    end += len(line)
                    while not line.endswith(b"\n") and (more := file.readline(MAX_LINE_BYTES)):
                        end, line = end + len(more), more[-1:]  # too long: what is left of it is not JSON
                    if not line.endswith(b"\n"):
                        end = start
                        break
                    if start == 0 and line.startswith(codecs.BOM_UTF8):  # an editor on Windows was there
                        start, line = len(codecs.BOM_UTF8), line.removeprefix(codecs.BOM_UTF8)
                    yield start, line
            if end < self.path.stat().st_size and not self._read_only:
                os.truncate(self.path, end)
        except OSError as error:
            raise SourceError(f"cannot read the journal {self.path}: {error.strerror}") from None

    def open(self) -> None:
        """Open it to append; raises SinkError."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        try:
            self._file = os.open(self.path, flags, 0o644)
            self._size = os.fstat(self._file).st_size
        except OSError as error:
            raise SinkError(f"cannot write the journal {self.path}: {error.strerror}") from None

    def append(self, line: bytes) -> int:
        """Append a line, durable if the process dies; returns its offset. Raises SinkError."""
        data, offset = line + b"\n", self._size
        with write_errors(self.path):
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(self._file, view) :]
            except OSError:
                os.truncate(self.path, offset)  # take the half line back
                raise
        self._size += len(data)
        return offset

    def line(self, offset: int) -> JSON:
        """The line at an offset."""
        with self.path.open("rb") as file:
            file.seek(offset)
            data: JSON = orjson.loads(file.readline())
        return data

    def lines(self, offsets: Collection[int]) -> Iterator[JSON]:
        """The lines at these offsets, which ascend."""
        if not offsets:
            return
        with self.path.open("rb") as file:
            for offset in offsets:
                file.seek(offset)
                data: JSON = orjson.loads(file.readline())
                yield data

    def sync(self) -> None:
        os.fsync(self._file)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
