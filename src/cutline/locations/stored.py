"""The places a picture's bytes can be: a file, memory, a member of a tar, remote storage, a URL."""

# Paths stay strings: file names need not be Unicode, and they come by the million.
# ruff: noqa: PTH116

from __future__ import annotations

import dataclasses
import io
import os
import zlib
from pathlib import Path
from typing import Any

from cutline.errors import PictureError
from cutline.files import content_digest, name_to_text
from cutline.formatting import one_line
from cutline.records import Location
from cutline.regular_files import open_regular, read_regular, read_up_to, too_large
from cutline.storage import explained, is_http, is_remote, named_path, open_object

MAX_FILE_BYTES = 256 * 1024 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class LocalFile(Location):
    """A file on this machine, by its real name."""

    name: str
    max_bytes: int = MAX_FILE_BYTES

    @property
    def path(self) -> str:
        return name_to_text(self.name)

    def file(self) -> str:
        return self.name

    def content_id(self) -> str:
        """Size and times: where these differ, as after a copy, the bytes decide."""
        try:
            return file_version(os.stat(self.name))
        except OSError:
            return ""

    def etag(self) -> str:
        return _etag(self.name)

    def read(self) -> bytes:
        """Read the whole file; PictureError as ``read_regular``."""
        return read_regular(self.name, self.max_bytes)


@dataclasses.dataclass(frozen=True, slots=True)
class InlineBytes(Location):
    """Bytes that are already here, with the name of the place they came from.

    ``validator`` is what the server that sent them said of their version.
    """

    data: bytes = dataclasses.field(repr=False)
    name: str
    validator: str = ""

    @property
    def path(self) -> str:
        return self.name

    def content_id(self) -> str:
        return content_digest(self.data)

    def etag(self) -> str:
        return self.validator

    def read(self) -> bytes:
        return self.data


@dataclasses.dataclass(frozen=True, slots=True)
class TarMember(Location):
    """The bytes of one member of an uncompressed tar on this machine.

    ``version`` and ``tar_etag`` are those of the tar when it was listed; empty where they are unknown.
    """

    tar: str
    member: str
    offset: int
    size: int
    version: str = ""
    tar_etag: str = ""
    max_bytes: int = MAX_FILE_BYTES

    @property
    def path(self) -> str:
        return f"{name_to_text(self.tar)}/{self.member}"

    def content_id(self) -> str:
        """The member's size and the tar's version: where these differ, the bytes decide."""
        return f"{self.size} in {self.version}" if self.version else ""

    def etag(self) -> str:
        return _etag(self.tar)

    def read(self) -> bytes:
        """Read the member's bytes.

        Raises:
            PictureError: ``missing``; ``too-large``; ``fetch`` for a cut tar; ``changed`` for one that was
                replaced since it was listed, as another member may be there now.
        """
        if self.size > self.max_bytes:
            raise too_large(self.path, self.size, self.max_bytes)
        descriptor, _ = open_regular(self.tar)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            if self.tar_etag and file_etag(os.fstat(descriptor)) != self.tar_etag:
                message = f"{self.path}: the tar was replaced after it was listed; run the same command again"
                raise PictureError("changed", message)
            file.seek(self.offset)
            data = read_up_to(file.fileno(), self.size)
        if len(data) < self.size:
            raise PictureError("fetch", f"{self.path}: the tar ends before this member does")
        return data


PACKINGS = frozenset({"gz", "bz2", "xz"})
"""Extensions of compressed files that ``PackedPicture`` unpacks."""


@dataclasses.dataclass(frozen=True, slots=True)
class PackedPicture(Location):
    """A compressed picture, such as ``photo.jpg.gz``; ``packing`` is the last part of its name."""

    packed: Location
    packing: str
    max_bytes: int = MAX_FILE_BYTES

    @property
    def path(self) -> str:
        return self.packed.path

    def content_id(self) -> str:
        return self.packed.content_id()

    def etag(self) -> str:
        return self.packed.etag()

    def read(self) -> bytes:
        """Unpack it; PictureError ``too-large``, ``decode`` where it is damaged, or as for ``packed``."""
        import bz2
        import gzip
        import lzma

        opener: Any = {"gz": gzip.open, "bz2": bz2.open, "xz": lzma.open}[self.packing]
        try:
            with opener(io.BytesIO(self.packed.read())) as file:
                data: bytes = file.read(self.max_bytes + 1)
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise PictureError("decode", f"{self.path}: damaged {self.packing}: {one_line(error)}") from error
        if len(data) > self.max_bytes:
            raise too_large(self.path, None, self.max_bytes)
        return data


@dataclasses.dataclass(frozen=True, slots=True)
class RemoteObject(Location):
    """A file on storage that fsspec reaches, such as ``s3://bucket/photo.jpg``.

    ``version`` is what its listing says of its content: an ETag, or size and time; empty if not listed.
    """

    name: str
    version: str = ""
    max_bytes: int = MAX_FILE_BYTES

    @property
    def path(self) -> str:
        return self.name

    def content_id(self) -> str:
        return self.version

    def read(self) -> bytes:
        """Fetch the whole object; PictureError ``missing``, ``too-large`` or ``fetch``."""
        try:
            with open_object(self.path) as file:
                data: bytes = file.read(self.max_bytes + 1)
        except FileNotFoundError as error:
            raise PictureError("missing", f"{self.path}: there is no such object") from error
        except Exception as error:  # the drivers' errors have no common root
            raise PictureError("fetch", f"{self.path}: {explained(error)}") from error
        if len(data) > self.max_bytes:
            raise too_large(self.path, None, self.max_bytes)
        return data


@dataclasses.dataclass(frozen=True, slots=True)
class RemoteFile(Location):
    """A picture behind an http(s) URL; ``cutline.locations.http.Fetcher`` gets it without blocking."""

    name: str

    @property
    def path(self) -> str:
        return self.name

    def url(self) -> str:
        return self.name

    def read(self) -> bytes:
        """Raises PictureError ``fetch``: only the fetcher knows the limits of a download."""
        raise PictureError("fetch", "a URL is downloaded by the fetcher, it cannot be read like a file")


def _etag(file: str) -> str:
    """Size, time and file of what lies there now; empty when nothing does."""
    try:
        return file_etag(os.stat(file))
    except OSError:
        return ""


def file_etag(status: os.stat_result) -> str:
    """Differs when another file is there, or its content was written to."""
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"


def file_version(status: os.stat_result) -> str:
    """Size and times; no write keeps all three, not even one that sets the old time again."""
    return f"{status.st_size} {status.st_mtime_ns:x} {status.st_ctime_ns:x}"


def named_location(name: str, folder: str = "") -> Location:
    """Where a path or URL leads that the user or a run names: the web, storage or this machine.

    A relative path that is not in the working folder may be below ``folder``.
    """
    if is_http(name):
        return RemoteFile(name)
    if is_remote(name):
        return RemoteObject(name)
    path = named_path(name)
    if folder and not Path(path).exists() and (below := Path(folder, path)).exists():
        return LocalFile(str(below))
    return LocalFile(path)
