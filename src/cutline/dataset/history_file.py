"""The SQLite file of a history: its schema, its transactions, and its errors in one line."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from cutline.dataset.read_only_history import is_full, is_not_writable, not_writable, open_copy
from cutline.dataset.records import Status
from cutline.errors import ConfigError, SinkError
from cutline.regular_files import refuse_links_in

FILE: Final = "history.sqlite"
_VERSION: Final = 1
_DAMAGED: Final = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR}


class HistoryFile:
    """``history.sqlite`` in a state folder; both are created by the first edit."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._file = state / FILE
        self._guard = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._refusal: BaseException | None = None  # why it can only be read

    @property
    def is_read_only(self) -> bool:
        """Whether it is read-only; known after the first read."""
        return self._refusal is not None

    def close(self) -> None:
        with self._guard:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    def _read(self, query: str, *values: Any) -> list[Any]:
        if self._connection is None and not self._file.exists():
            return []
        with self._errors() as database:
            return database.execute(query, values).fetchall()

    def _damaged(self, error: Exception) -> ConfigError:
        return ConfigError(
            f"{self._file}, the history of edits, is damaged ({error}): restore it, or move it away "
            "to start a new one; the captions themselves are untouched"
        )

    @contextlib.contextmanager
    def _errors(self) -> Iterator[sqlite3.Connection]:
        if self._connection is None:
            refuse_links_in(self._state)
            if self._file.exists() and not self._file.is_file():
                raise ConfigError(f"{self._file} is not a file, as the history of edits is: move it away")
        try:
            with self._guard:
                self._state.mkdir(parents=True, exist_ok=True)
                yield self._open()
        except sqlite3.Error as error:
            # Python's own errors, such as for a text that is not UTF-8, have no code.
            if getattr(error, "sqlite_errorcode", None) in {*_DAMAGED, None}:
                raise self._damaged(error) from error
            if self._refusal is not None or is_full(error):
                raise not_writable(self._state, self._refusal or error) from error
            raise SinkError(f"cannot use {self._file}: {error}") from error
        except OSError as error:
            raise not_writable(self._state, error) from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._errors() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:  # SQLite itself ends one that finds no room
                    database.execute("ROLLBACK")
                raise

    def _open(self) -> sqlite3.Connection:
        if self._refusal is not None and is_full(self._refusal):  # there may be room again
            self.close()
            self._refusal = None
        if self._connection is None:
            connection = sqlite3.connect(
                self._file, isolation_level=None, check_same_thread=False, timeout=30
            )
            try:
                self._prepare(connection)
            except BaseException as error:
                connection.close()
                if not is_not_writable(error):
                    raise
                connection = open_copy(self._file, _SCHEMA)
                self._refusal = error
            self._connection = connection
        return self._connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        if connection.execute("PRAGMA user_version").fetchone()[0] > _VERSION:
            raise ConfigError(f"{self._file} was written by a newer version of cutline: use that one")
        connection.executescript(_SCHEMA)


_SCHEMA: Final = f"""
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS edits (
    id INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, kind TEXT NOT NULL, summary TEXT NOT NULL,
    author TEXT NOT NULL, model TEXT NOT NULL, prompt_id TEXT NOT NULL, target INTEGER,
    state TEXT NOT NULL, undone_by INTEGER, files INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS changes (
    edit INTEGER NOT NULL, file TEXT NOT NULL, before BLOB, after BLOB, status INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS stored (name TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS changes_by_edit ON changes (edit, file);
CREATE INDEX IF NOT EXISTS changes_by_file ON changes (file, edit);
CREATE INDEX IF NOT EXISTS changes_pending ON changes (edit) WHERE status = {int(Status.PENDING)};
PRAGMA user_version = {_VERSION};
"""
