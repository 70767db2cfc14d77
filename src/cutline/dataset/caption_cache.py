"""A cache of a folder's captions in the user's cache folder: only changed files are read again."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa

from cutline.dataset.caption_files import SETTLED, CaptionFiles
from cutline.dataset.scan import Entry
from cutline.files import content_digest, write_atomically

_MAGIC: Final = b"cutline captions 1\n"
_KEPT: Final = 2_000_000_000  # bytes, of all folders
_SCHEMA: Final = pa.schema(
    [
        pa.field("sidecar", pa.binary(), nullable=False),
        pa.field("mtime", pa.int64(), nullable=False),
        pa.field("ctime", pa.int64(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("caption", pa.string()),
    ]
)

Stamp = tuple[int, int, int]
"""Times of change of content and status in nanoseconds, and size."""


def cache_file(folder: Path, root: str, *details: str | None) -> Path:
    """The cache file in ``folder`` for the captions below ``root``, read with the options ``details``."""
    name = "\0".join([root, *(detail or "" for detail in details)])
    return folder / f"{hashlib.blake2b(os.fsencode(name), digest_size=16).hexdigest()}.arrow"


class CaptionCache:
    """Reads captions in the order of rows, from ``file`` if it has their current version.

    A damaged or foreign cache is ignored, as is one that cannot be written.
    """

    def __init__(self, root: str, files: CaptionFiles, file: Path | None) -> None:
        self._root = root
        self._files = files
        self._file = file
        self._known: dict[bytes, tuple[Stamp, int]] | None = None
        self._captions: pa.Array = pa.array([], pa.string())
        self._stamps: list[Stamp | None] = []
        self._hits = 0

    def read(self, entries: Sequence[Entry]) -> list[str | None]:
        """Read the captions of the next rows."""
        if self._file is None:
            return [self._files.read(entry) for entry in entries]
        if self._known is None:
            self._known = self._load(self._file)
        return [self._read(entry, self._known) for entry in entries]

    def forget(self, row: int) -> None:
        """Drop the cached caption of a row, which has changed."""
        if row < len(self._stamps):
            self._stamps[row] = None

    def save(self, entries: Sequence[Entry], captions: pa.ChunkedArray) -> None:
        """Save the cache once all captions are read."""
        rows = [row for row, stamp in enumerate(self._stamps) if stamp is not None]
        stamps = [stamp for stamp in self._stamps if stamp is not None]
        is_new = self._known is not None and not self._hits == len(rows) == len(self._known)
        self._known, self._captions, self._stamps = None, pa.array([], pa.string()), []
        if self._file is None or not is_new or not rows:
            return
        names = [os.fsencode(entries[row].sidecar) for row in rows]
        times = [pa.array([stamp[place] for stamp in stamps], pa.int64()) for place in range(3)]
        table = pa.table(
            [pa.array(names, pa.binary()), *times, captions.take(pa.array(rows, pa.int64()))], _SCHEMA
        )
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_atomically(self._file, _encode(table), sync=False)
            _bound(self._file)

    def _read(self, entry: Entry, known: dict[bytes, tuple[Stamp, int]]) -> str | None:
        stamp = self._stamp(entry)
        found = known.get(os.fsencode(entry.sidecar)) if stamp is not None else None
        if found is not None and found[0] == stamp:
            self._hits += 1
            self._stamps.append(stamp)
            text: str | None = self._captions[found[1]].as_py()
            return text
        caption, is_certain = self._files.read_certain(entry)
        is_settled = stamp is not None and time.time_ns() - stamp[0] > SETTLED
        self._stamps.append(stamp if is_certain and is_settled else None)
        return caption

    def _stamp(self, entry: Entry) -> Stamp | None:
        """Taken before the file is read, to notice a change meanwhile; None if not a regular file."""
        try:
            status = os.lstat(os.path.join(self._root, entry.sidecar))  # noqa: PTH118 - strings
        except OSError:
            return None
        is_plain = stat.S_ISREG(status.st_mode)
        return (status.st_mtime_ns, status.st_ctime_ns, status.st_size) if is_plain else None

    def _load(self, file: Path) -> dict[bytes, tuple[Stamp, int]]:
        try:
            table = _decode(file.read_bytes())
        except (OSError, ValueError, pa.ArrowException):
            return {}
        self._captions = table["caption"].combine_chunks()
        columns = (table[name].to_pylist() for name in ("mtime", "ctime", "size"))
        stamps = zip(*columns, strict=True)
        names = table["sidecar"].to_pylist()
        return {name: (stamp, row) for row, (name, stamp) in enumerate(zip(names, stamps, strict=True))}


def _bound(newest: Path) -> None:
    """Delete the oldest caches beside ``newest`` if together they are too large."""
    found = sorted(
        ((path.stat(), path) for path in newest.parent.glob("*.arrow")), key=lambda each: -each[0].st_mtime_ns
    )
    size = 0
    for status, path in found:
        size += status.st_size
        if size > _KEPT and path != newest:
            path.unlink(missing_ok=True)


def _encode(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, _SCHEMA, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_table(table)
    content: bytes = sink.getvalue().to_pybytes()
    return _MAGIC + content_digest(content).encode() + b"\n" + content


def _decode(data: bytes) -> pa.Table:
    """Raises ValueError or ArrowException: the file is not a cache, or damaged."""
    if not data.startswith(_MAGIC):
        raise ValueError("another program's file")
    digest, _, content = data[len(_MAGIC) :].partition(b"\n")
    if digest != content_digest(content).encode():
        raise ValueError("damaged")
    table = pa.ipc.open_file(content).read_all()
    if table.schema != _SCHEMA:
        raise ValueError("another version's file")
    table.validate(full=True)
    return table
