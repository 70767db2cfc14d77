"""Pictures in zip files, read one by one."""

from __future__ import annotations

import bz2
import dataclasses
import io
import zipfile
import zlib
from typing import Any, BinaryIO

from zlib_ng.zlib_ng import crc32

from cutline.errors import PictureError
from cutline.files import name_to_text
from cutline.formatting import one_line
from cutline.locations.stored import MAX_FILE_BYTES
from cutline.records import Location
from cutline.regular_files import too_large
from cutline.storage import is_remote, open_object

_HEADER = 30  # bytes of a member's own header before its name
_MAGIC = b"PK\x03\x04"
_CHUNK = 1024 * 1024
UNPACKED = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ZipMember(Location):
    """One member of a zip file, here or on remote storage, as the zip's directory lists it."""

    zip: str
    member: str
    offset: int
    packed_size: int
    size: int
    method: int
    crc: int
    max_bytes: int = MAX_FILE_BYTES

    @property
    def path(self) -> str:
        return f"{name_to_text(self.zip)}/{self.member}"

    def content_id(self) -> str:
        return f"{self.size} {self.crc:08x}"

    def read(self) -> bytes:
        """Unpack it, at most ``max_bytes``.

        Raises:
            PictureError: ``missing``; ``too-large``; ``decode`` where it is damaged or the zip was replaced.
        """
        if max(self.size, self.packed_size) > self.max_bytes:
            raise too_large(self.path, self.size, self.max_bytes)
        try:
            data = self._unpacked()
        except FileNotFoundError as error:
            raise PictureError("missing", f"{self.path}: the zip is gone") from error
        except (OSError, EOFError, zlib.error, ValueError) as error:
            raise PictureError("decode", f"{self.path}: damaged: {one_line(error)}") from error
        if len(data) > self.max_bytes:
            raise too_large(self.path, None, self.max_bytes)
        if crc32(data) != self.crc:
            raise PictureError("decode", f"{self.path}: damaged: its checksum differs")
        return data

    def _unpacked(self) -> bytes:
        with _open(self.zip) as file:
            file.seek(self.offset)
            header = file.read(_HEADER)
            if len(header) < _HEADER or not header.startswith(_MAGIC):
                raise ValueError("no member begins there")
            names = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
            file.seek(self.offset + _HEADER + names)
            packed = file.read(self.packed_size)
        if self.method == zipfile.ZIP_STORED:
            return packed
        unpacker: Any = zlib.decompressobj(-15) if self.method == zipfile.ZIP_DEFLATED else _Bz2()
        data: bytes = unpacker.decompress(packed, self.max_bytes + 1)
        return data


class _Bz2:
    def __init__(self) -> None:
        self._unpacker = bz2.BZ2Decompressor()

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._unpacker.decompress(data, max_length)


def _open(path: str) -> BinaryIO:
    return open_object(path) if is_remote(path) else io.FileIO(path)
