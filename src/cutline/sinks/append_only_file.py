"""An append-only file of records that can be cut back to a committed length."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

from cutline.errors import ConfigError, OutputExists, OutputGone
from cutline.files import write_errors
from cutline.records import JSON

_BUFFER = 1 << 18
_TAIL = 1 << 16


class AppendOnlyFile:
    """Writes whole records only; one that could not be written is retried by the next call.

    Not for concurrent use by several threads. A full disk and the like raise SinkError in all methods.
    """

    def __init__(self, path: Path, *, replaceable: bool = False) -> None:
        """``replaceable``: a damaged file is as good as gone, since it can be made again."""
        self.path = path
        self._replaceable = replaceable
        self.records = 0
        self._descriptor = -1
        self._size = 0  # of what is in the file, up to the last whole record
        self._buffer = bytearray()

    def start(self) -> None:
        """Begin with an empty file."""
        self.close()
        with write_errors(self.path):
            self._descriptor = os.open(self.path, _FLAGS | os.O_CREAT | os.O_TRUNC, 0o666)
        self._size = self.records = 0

    def resume(self, mark: JSON) -> None:
        """Go on after ``mark``; what follows it in the file is cut off. Raises as ``verify``."""
        self.close()
        if mark["size"] == 0 and not self.path.exists():
            self.start()
            return
        self.verify(mark)
        with write_errors(self.path):
            self._descriptor = os.open(self.path, _FLAGS)
            if os.fstat(self._descriptor).st_size > mark["size"]:
                os.ftruncate(self._descriptor, mark["size"])  # only then: it would renew the file's time
            os.lseek(self._descriptor, mark["size"], os.SEEK_SET)
        self._size, self.records = mark["size"], mark["records"]

    def verify(self, mark: JSON) -> None:
        """Check the length up to ``mark`` and the last 64 KB before it; OutputExists, OutputGone."""
        if self._replaceable and not self.path.is_file():
            raise OutputGone(f"{self.path} is gone")
        try:
            descriptor = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except FileNotFoundError as error:
            raise OutputGone(f"{self.path} is gone") from error
        except OSError as error:
            raise ConfigError(f"cannot read {self.path}: {error.strerror}") from error
        try:
            whole = os.fstat(descriptor).st_size >= mark["size"]
            if not whole or _checksum(descriptor, mark["size"]) != mark["tail"]:
                if self._replaceable:
                    raise OutputGone(f"{self.path} is damaged")
                raise output_changed(self.path)
        finally:
            os.close(descriptor)

    def append(self, record: bytes) -> None:
        """Add one record; it reaches the file within 256 KB or by the next ``commit``."""
        self._buffer += record
        self.records += 1
        if len(self._buffer) >= _BUFFER:
            self.flush()

    @property
    def size(self) -> int:
        """Bytes of all records, those in memory included."""
        return self._size + len(self._buffer)

    def flush(self) -> None:
        """Write the buffer to the file."""
        if not self._buffer:
            return
        with write_errors(self.path):
            try:
                view = memoryview(self._buffer)
                while view:
                    view = view[os.write(self._descriptor, view) :]
            except OSError:
                view.release()
                # Half a record is worse than none: the readers of the file see whole ones.
                os.ftruncate(self._descriptor, self._size)
                os.lseek(self._descriptor, self._size, os.SEEK_SET)
                raise
        view.release()
        self._size += len(self._buffer)
        self._buffer = bytearray()

    def commit(self) -> JSON:
        """Make all records durable; returns ``size``, ``records`` and the ``tail``'s checksum.

        OutputExists: another program replaced the file.
        """
        self.flush()
        with write_errors(self.path):
            os.fsync(self._descriptor)
            ours = os.fstat(self._descriptor)
            there = self.path.stat()
            tail = _checksum(self._descriptor, self._size)
        if (there.st_ino, there.st_dev, there.st_size) != (ours.st_ino, ours.st_dev, self._size):
            raise output_changed(self.path)
        return {"size": self._size, "records": self.records, "tail": tail}

    def close(self) -> None:
        """Release the file; what was not committed may be lost."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
        self._buffer = bytearray()


_FLAGS = os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def output_changed(path: Path | str) -> OutputExists:
    """The error for an output that someone else has written to."""
    return OutputExists(
        f"{path} was changed by another program: "
        "choose another output, or replace it with --existing overwrite"
    )


def _checksum(descriptor: int, end: int) -> int:
    """Of the last 64 KB before ``end``: an edit that moves the rest shows there."""
    start = max(0, end - _TAIL)
    os.lseek(descriptor, start, os.SEEK_SET)
    checksum, missing = 0, end - start
    while missing and (chunk := os.read(descriptor, missing)):
        checksum = zlib.crc32(chunk, checksum)
        missing -= len(chunk)
    return checksum
