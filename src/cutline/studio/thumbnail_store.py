"""A cache of thumbnails (JPEGs): one SQLite file in the user's cache, never beside the pictures."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cutline.records import Location

_FLUSH: Final = 200  # thumbnails in a transaction
MAX_BYTES: Final = 4_000_000_000  # about 250,000 thumbnails
_SCHEMA: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS thumbnails (
    id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE, size INTEGER NOT NULL, mtime INTEGER NOT NULL,
    color INTEGER NOT NULL, data BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS colors ON thumbnails (path, color);
"""

_DAMAGED: Final = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR}  # or another schema


@dataclasses.dataclass(frozen=True, slots=True)
class PictureVersion:
    """A picture's path and version; ``mtime`` in nanoseconds."""

    path: str
    size: int
    mtime: int
    location: Location = dataclasses.field(compare=False, repr=False)

    @classmethod
    def of(cls, location: Location) -> PictureVersion:
        """OSError: there is no such file."""
        file = location.file()
        if file is not None:
            status = os.stat(file)  # noqa: PTH116 - names need not be Unicode
            return cls(file, status.st_size, status.st_mtime_ns, location)
        content = location.content_id()
        if not content:
            raise FileNotFoundError(location.path)
        digest = hashlib.blake2b(content.encode(), digest_size=8).digest()
        return cls(location.path, 0, int.from_bytes(digest, signed=True), location)


class ThumbnailStore:
    """Stores thumbnails by path, size and modification time.

    Thread-safe. A damaged file is recreated; an unusable one is ignored. The oldest thumbnails above
    ``max_bytes`` are removed.
    """

    def __init__(self, file: Path, max_bytes: int = MAX_BYTES) -> None:
        self._file = file
        self._max_bytes = max_bytes
        self._guard = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._is_broken = False
        self._new: dict[PictureVersion, tuple[bytes, int]] = {}

    def get(self, version: PictureVersion) -> bytes | None:
        """The thumbnail of this version, or None."""
        with self._guard:
            found = self._new.get(version)
            if found is not None or (database := self._open()) is None:
                return found[0] if found is not None else None
            query = "SELECT data FROM thumbnails WHERE path = ? AND size = ? AND mtime = ?"
            try:
                row = database.execute(query, _key(version)).fetchone()
            except sqlite3.Error:
                self._give_up()
                return None
            return row[0] if row is not None else None

    def colors(self, paths: Sequence[str]) -> dict[str, int]:
        """The average colours, ``0xRRGGBB``, of the pictures with a thumbnail of any version."""
        with self._guard:
            wanted = set(paths)
            found = {version.path: new[1] for version, new in self._new.items() if version.path in wanted}
            names = [os.fsencode(path) for path in paths]
            database = self._open()
            if database is None:
                return found
            with contextlib.suppress(sqlite3.Error):
                for start in range(0, len(names), _FLUSH):
                    part = names[start : start + _FLUSH]
                    marks = ", ".join("?" * len(part))
                    query = f"SELECT path, color FROM thumbnails WHERE path IN ({marks})"  # noqa: S608 - marks
                    for path, color in database.execute(query, part):
                        found.setdefault(os.fsdecode(path), color)
            return found

    def put(self, version: PictureVersion, data: bytes, color: int) -> None:
        """Store a thumbnail and its average colour; they are written in batches."""
        with self._guard:
            self._new[version] = data, color
            if len(self._new) >= _FLUSH:
                self._flush()

    def flush(self) -> None:
        with self._guard:
            self._flush()

    @property
    def is_full(self) -> bool:
        """Whether more thumbnails would replace others."""
        with self._guard:
            database = self._open()
            try:
                return database is None or _used(database) > self._max_bytes * 0.9
            except sqlite3.Error:
                return True

    def close(self) -> None:
        """Write pending thumbnails and close the file; later calls open it again."""
        with self._guard:
            self._flush()
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    def _flush(self) -> None:
        new, self._new = self._new, {}
        database = self._open()
        if not new or database is None:
            return
        try:
            with database:
                database.executemany(
                    "INSERT OR REPLACE INTO thumbnails (path, size, mtime, data, color)"
                    " VALUES (?, ?, ?, ?, ?)",
                    ((*_key(version), *each) for version, each in new.items()),
                )
            while _used(database) > self._max_bytes:
                with database:
                    most = "(SELECT count(*) / 10 + 1 FROM thumbnails)"
                    query = f"SELECT id FROM thumbnails ORDER BY id LIMIT {most}"  # noqa: S608 - constants
                    gone = database.execute(f"DELETE FROM thumbnails WHERE id IN ({query})")  # noqa: S608 - constants
                if not gone.rowcount:
                    break
        except sqlite3.OperationalError:
            pass  # busy or full disk: these are made again
        except sqlite3.Error:
            self._give_up()

    def _open(self) -> sqlite3.Connection | None:
        if self._connection is None and not self._is_broken:
            for attempt in range(2):
                try:
                    self._connection = _connect(self._file)
                    break
                except (sqlite3.DatabaseError, OSError) as error:
                    code = error.sqlite_errorcode if isinstance(error, sqlite3.Error) else None
                    self._is_broken = attempt == 1 or code not in _DAMAGED
                    if self._is_broken:
                        break
                    self._remove()
        return self._connection

    def _give_up(self) -> None:
        """Replace a damaged file."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self._remove()

    def _remove(self) -> None:
        for ending in ("", "-wal", "-shm"):
            with contextlib.suppress(OSError):
                Path(f"{self._file}{ending}").unlink(missing_ok=True)


def _connect(file: Path) -> sqlite3.Connection:
    file.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(file, check_same_thread=False, timeout=5)
    try:
        connection.executescript(_SCHEMA)
        connection.execute("SELECT path, size, mtime, color, data FROM thumbnails LIMIT 1")
    except BaseException:
        connection.close()
        raise
    return connection


def _used(database: sqlite3.Connection) -> int:
    pages, free, size = (
        database.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _key(version: PictureVersion) -> tuple[bytes, int, int]:
    return os.fsencode(version.path), version.size, version.mtime
