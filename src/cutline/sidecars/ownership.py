"""Which sample owns which sidecar name, what was written there, and what was there before."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import sqlite3
import threading
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cutline.errors import ConfigError, SinkError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who has a name: ``key`` of a sample, or None once several wanted it.

    ``picture`` is the path of the sample's file, from the output folder if it is in it. ``common``: others
    may want the name as much.
    """

    key: str | None
    picture: str
    common: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Digests of what this job wrote last and the time before, and the foreign content before that."""

    last: bytes
    previous: bytes
    before: bytes | None

    def covers(self, content: bytes) -> bool:
        """Whether the content is one of the three; a killed run may have left any of them."""
        return digest(content) in {self.last, self.previous} or content == self.before


def file_id(name: str) -> str:
    """The same for two names that a file system may treat as one."""
    return name.lower() if name.isascii() else unicodedata.normalize("NFC", name).casefold()


def written_files(file: Path) -> dict[str, Written]:
    """What a state folder's record has, by ``file_id`` of paths below the output; empty where there is none.

    Raises:
        SinkError: it cannot be read, as while a run writes there.
    """
    if not file.exists():
        return {}
    try:
        with contextlib.closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True)) as database:
            rows = database.execute("SELECT file, last, previous, before FROM files").fetchall()
    except sqlite3.Error as error:
        raise SinkError(f"cannot read {file}: {error}; wait for the run that writes there to end") from error
    return {
        name: Written(last=last, previous=previous, before=before) for name, last, previous, before in rows
    }


class SidecarOwnership:
    """An SQLite file in the state folder. Every change is handed to the system at once.

    Raises:
        SinkError: from all methods, when it cannot be read or written.
        ConfigError: the same, when it is damaged.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        with self._errors():
            self._database = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
            # An exclusive lock works without shared memory, which network file systems lack.
            try:
                self._database.executescript(_SCHEMA)
            except sqlite3.Error:
                self._database.close()  # or its lock would outlive it
                raise

    def release_names(self) -> None:
        """Forget the owners of names; what was written stays known."""
        self._run("DELETE FROM owners")

    def owner(self, name: str) -> Owner | None:
        found = self._run("SELECT key, picture, common FROM owners WHERE name = ?", name)
        return Owner(key=found[0], picture=found[1], common=bool(found[2])) if found else None

    def assign(self, name: str, owner: Owner) -> None:
        self._run(
            "INSERT OR REPLACE INTO owners VALUES (?, ?, ?, ?)", name, owner.key, owner.picture, owner.common
        )

    def written(self, file: str) -> Written | None:
        found = self._run("SELECT last, previous, before FROM files WHERE file = ?", file)
        return Written(last=found[0], previous=found[1], before=found[2]) if found else None

    def record(self, file: str, written: Written) -> None:
        values = (written.last, written.previous, written.before)
        self._run("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", file, *values)

    def forget(self, file: str) -> None:
        self._run("DELETE FROM files WHERE file = ?", file)

    def keep(self, file: str, before: bytes, after: bytes, model: str) -> bool:
        """Record a text before it is replaced; returns whether it is the run's first of that file.

        Of several the first is what comes back. A run that continues a killed one is the same run.
        """
        now = time.time()
        found = self._run(
            "INSERT INTO replaced SELECT user_version + 1, ?, ?, ?, ?, ? FROM pragma_user_version WHERE true"
            " ON CONFLICT (run, file) DO UPDATE SET after = excluded.after, model = excluded.model"
            " RETURNING time",
            *(file, before, after, model, now),
        )
        return bool(found[0] == now)

    def replaced(self) -> int:
        """The number of texts that this run has replaced, also before it was killed."""
        query = "SELECT count(*) FROM replaced, pragma_user_version WHERE run = user_version + 1"
        return int(self._run(query)[0])

    def end_run(self) -> None:
        """The run has ended; what the next one replaces is an edit of its own."""
        number = self._run("PRAGMA user_version")[0]
        self._run(f"PRAGMA user_version = {number + 1:d}")

    def close(self) -> None:
        with self._errors():
            self._database.close()

    def _run(self, statement: str, *values: str | bytes | float | None) -> Any:
        with self._errors():
            return self._database.execute(statement, values).fetchone()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            with self._lock:
                yield
        except sqlite3.Error as error:
            if self._file.is_dir() or error.sqlite_errorcode in _DAMAGED:
                raise ConfigError(
                    f"{self._file}, the record of written texts, is damaged ({error}): restore "
                    "it, or remove it, after which all existing texts count as yours"
                ) from error
            raise SinkError(
                f"cannot use {self._file}: {error}; fix this and run the same command again"
            ) from error


_DAMAGED = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR}
"""Another file, a damaged one, and one of other tables."""

_SCHEMA = """
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS owners
    (name TEXT PRIMARY KEY, key TEXT, picture TEXT, common INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files
    (file TEXT PRIMARY KEY, last BLOB, previous BLOB, before BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS replaced
    (run INTEGER, file TEXT, before BLOB, after BLOB, model TEXT, time REAL, PRIMARY KEY (run, file));
"""


def digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()
