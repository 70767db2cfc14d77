"""A tar reader that reports damage with its offset.

``tarfile`` takes a damaged header for the end of the archive; here it only parses a header's fields.
"""

from __future__ import annotations

import dataclasses
import gzip
import io
import os
import tarfile
import zlib
from typing import TYPE_CHECKING, BinaryIO, cast

from cutline.files import name_to_text
from cutline.formatting import one_line
from cutline.locations.stored import file_etag, file_version

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = tarfile.BLOCKSIZE
MAX_NAME_BYTES = 1024 * 1024
_MAGIC = slice(257, 262)
_SCANNED = 1024 * BLOCK
_NO_DATA = {
    tarfile.LNKTYPE,
    tarfile.SYMTYPE,
    tarfile.CHRTYPE,
    tarfile.BLKTYPE,
    tarfile.DIRTYPE,
    tarfile.FIFOTYPE,
}
_NO_FILE = _NO_DATA | {tarfile.GNUTYPE_SPARSE, b"V", b"M", b"D"}


class TarDamaged(Exception):
    """``offset``: the byte, in the unpacked tar, where reading had to stop."""

    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.offset = offset


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """One entry. ``is_file`` is False for links, devices and other things that are never followed."""

    name: str
    offset: int
    size: int
    is_file: bool
    is_folder: bool


class TarReader:
    """Members of a tar in their order; of a seekable, unpacked one, data is read only by ``data``.

    ``version`` and ``etag`` are those of a file on this machine, empty for another.
    """

    def __init__(self, file: BinaryIO) -> None:
        start = file.read(2)
        file.seek(0)
        self.packed = start == b"\x1f\x8b"
        self._size = None if self.packed else file.seek(0, os.SEEK_END)
        self.version = self.etag = ""
        if not self.packed and isinstance(file, io.BufferedReader) and isinstance(file.raw, io.FileIO):
            status = os.fstat(file.fileno())
            self.version, self.etag = file_version(status), file_etag(status)
        file.seek(0)
        self._file = cast("BinaryIO", gzip.GzipFile(fileobj=file)) if self.packed else file
        self._position = 0
        self._end = 0

    def members(self) -> Iterator[Member]:
        """Raises TarDamaged where the tar is cut, or a header is not one."""
        long_name: bytes | None = None
        fields: dict[str, bytes] = {}
        while (header := self._header()) is not None:
            offset, size = self._position, self._number(fields.get("size"), header.size)
            self._end = offset + (0 if header.type in _NO_DATA else -(-size // BLOCK) * BLOCK)
            if self._size is not None and header.type not in _NO_DATA and offset + size > self._size:
                name = name_to_text(header.name)
                raise TarDamaged(
                    offset, f"cut within {name}: {self._size - offset:,} of {size:,} bytes are there"
                )
            if header.type == tarfile.GNUTYPE_LONGNAME:
                long_name = self._name_data(size).rstrip(b"\0")
            elif header.type in {tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE}:
                fields = self._pax(self._name_data(size))
            elif header.type not in {tarfile.GNUTYPE_LONGLINK, tarfile.XGLTYPE}:
                raw = long_name or fields.get("path") or header.name.encode("utf-8", "surrogateescape")
                sparse = header.type in _NO_FILE or any(field.startswith("GNU.sparse") for field in fields)
                yield Member(_decoded(raw), offset, size, not sparse, header.type == tarfile.DIRTYPE)
                long_name, fields = None, {}
            self._go_to(self._end)

    def resync(self, damage: TarDamaged) -> int | None:
        """Go on at the next header after a damaged place, where it is; None for a packed or ended tar."""
        if self._size is None:
            return None
        start = (damage.offset // BLOCK + 1) * BLOCK
        while self._size - start >= BLOCK:
            self._file.seek(start)
            chunk = self._file.read(_SCANNED)
            for at in range(0, len(chunk) - BLOCK + 1, BLOCK):
                if chunk[at + _MAGIC.start : at + _MAGIC.stop] == b"ustar" and _is_header(
                    chunk[at : at + BLOCK]
                ):
                    self._position = self._end = self._file.seek(start + at)
                    return self._position
            start += max(len(chunk) // BLOCK, 1) * BLOCK
        return None

    def data(self, member: Member) -> bytes:
        """The bytes of the member that came last; TarDamaged: they are not all there."""
        self._go_to(member.offset)
        data = self._read(member.size)
        if len(data) < member.size:
            raise TarDamaged(self._position, f"cut within {member.name}")
        return data

    def _header(self) -> tarfile.TarInfo | None:
        """The next header, or None at a proper end: at least one block of zeros, and nothing after it."""
        zeros = 0
        while True:
            offset = self._position
            block = self._read(BLOCK)
            if not block and zeros:
                return None
            if len(block) < BLOCK:
                cause = "no end mark" if not block else "cut within a header"
                raise TarDamaged(offset, f"{cause}: the tar was cut, or never finished")
            if block.count(0) != BLOCK:
                break
            zeros += 1
        try:
            header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise TarDamaged(offset, f"damaged header ({error})") from error
        if header.size < 0:
            raise TarDamaged(offset, "damaged header (negative size)")
        while header.type == tarfile.GNUTYPE_SPARSE and block[482 if block[257:262] == b"ustar" else 504]:
            block = self._read(BLOCK).ljust(BLOCK, b"\0")
        return header

    def _number(self, text: bytes | None, size: int) -> int:
        if text is None:
            return size
        if not text.isdigit() or len(text) > 18:
            raise TarDamaged(self._position, "damaged header (size)")
        return int(text)

    def _name_data(self, size: int) -> bytes:
        if size > MAX_NAME_BYTES:
            raise TarDamaged(self._position, f"damaged header (a name of {size:,} bytes)")
        return self._read(size)

    def _pax(self, data: bytes) -> dict[str, bytes]:
        """Records of the form ``length key=value`` and a line feed, where the length counts itself."""
        fields = {}
        while data and data[0]:
            digits = data.partition(b" ")[0]
            length = int(digits) if digits.isdigit() and len(digits) < 9 else 0
            key, equals, value = data[len(digits) + 1 : length].partition(b"=")
            if not equals or not value.endswith(b"\n"):
                raise TarDamaged(self._position, "damaged extended header")
            fields[key.decode("utf-8", "replace")] = value[:-1]
            data = data[length:]
        return fields

    def _read(self, size: int) -> bytes:
        try:
            data = self._file.read(size)
        except (EOFError, zlib.error, OSError) as error:
            raise TarDamaged(self._position, one_line(error)) from error
        self._position += len(data)
        return data

    def _go_to(self, offset: int) -> None:
        if self._size is not None:
            self._position = self._file.seek(offset)
            return
        while self._position < offset:
            if not self._read(min(offset - self._position, 1024 * 1024)):
                raise TarDamaged(self._position, "the tar was cut")


def _is_header(block: bytes) -> bool:
    """Whether the check sum of a header fits."""
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape").size >= 0
    except tarfile.HeaderError:
        return False


def _decoded(name: bytes) -> str:
    return name_to_text(name.decode("utf-8", "surrogateescape"))
