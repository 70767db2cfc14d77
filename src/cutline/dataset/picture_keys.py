"""A cache of pictures' content keys by path and version, so that unchanged files are not read again."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from cutline.records import Location

_SCHEMA: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS pictures (
    path BLOB PRIMARY KEY, version TEXT NOT NULL, key BLOB NOT NULL) WITHOUT ROWID;
"""
_DAMAGED: Final = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR}  # or another schema


class PictureKeys:
    """One SQLite file. A damaged cache is recreated; an unusable one is ignored. Thread-safe."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._guard = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def find(self, locations: Sequence[Location | None]) -> list[bytes | None]:
        """The key of each picture's current version; None if unknown or missing."""
        keys: list[bytes | None] = [None] * len(locations)
        with self._guard, self._database() as database:
            for at, location in enumerate(locations):
                version = location.content_id() if location is not None else ""
                if location is None or not version:
                    continue
                query = "SELECT key FROM pictures WHERE path = ? AND version = ?"
                found = database.execute(query, (_path(location), version)).fetchone()
                keys[at] = found[0] if found else None
        return keys

    def keep(self, pictures: Iterable[tuple[Location, str, bytes]]) -> None:
        """Save keys by version, the location's ``content_id`` before the picture was read."""
        rows = [(_path(location), version, key) for location, version, key in pictures if version]
        with self._guard, self._database() as database, database:
            database.executemany("INSERT OR REPLACE INTO pictures VALUES (?, ?, ?)", rows)

    def close(self) -> None:
        """Close the file; later calls open it again."""
        with self._guard:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    @contextlib.contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        """Suppress errors of the file within the block."""
        with contextlib.suppress(OSError, sqlite3.Error):
            if self._connection is None:
                self._connection = self._connect()
            try:
                yield self._connection
            except sqlite3.DatabaseError as error:
                if error.sqlite_errorcode in _DAMAGED:
                    self._connection.close()
                    self._connection = None
                    self._remove()
                raise

    def _connect(self) -> sqlite3.Connection:
        try:
            return _opened(self._file)
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode not in _DAMAGED:
                raise
            self._remove()
            return _opened(self._file)

    def _remove(self) -> None:
        for ending in ("", "-wal", "-shm"):
            Path(f"{self._file}{ending}").unlink(missing_ok=True)


def _opened(file: Path) -> sqlite3.Connection:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    connection = sqlite3.connect(file, check_same_thread=False, timeout=5)
    try:
        connection.executescript(_SCHEMA)
        connection.execute("SELECT path, version, key FROM pictures LIMIT 1")
    except BaseException:
        connection.close()
        raise
    return connection


def _path(location: Location) -> bytes:
    return os.fsencode(location.file() or location.path)
