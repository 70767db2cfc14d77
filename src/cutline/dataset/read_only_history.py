"""Read a history that cannot be written, such as on a read-only medium."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from pathlib import Path
from urllib.parse import quote

from cutline.errors import SinkError
from cutline.formatting import one_line
from cutline.temporary_folders import temporary_folder

_CODES = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}
_FULL = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_SHMMAP,
}  # with some of which SQLite reports that a file cannot grow


def is_not_writable(error: BaseException) -> bool:
    """Whether SQLite's error means that the file or its folder is read-only."""
    return is_full(error) or (
        isinstance(error, sqlite3.OperationalError) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _CODES
    )


def is_full(error: BaseException) -> bool:
    """Whether the error means that the disk is full."""
    if isinstance(error, OSError):
        return error.errno in {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", None) in _FULL


def not_writable(state: Path, error: BaseException) -> SinkError:
    """The error of a write."""
    if is_full(error):
        return SinkError(
            f"cannot write to {state}: {one_line(error)}; free some space, or raise the limit on file sizes, "
            "and run the same command again: nothing is lost"
        )
    return SinkError(
        f"cannot write beside the dataset, to {state}: {one_line(error)}; allow writing there, or copy the "
        "dataset to where it is allowed"
    )


def open_copy(file: Path, schema: str) -> sqlite3.Connection:
    """A read-only connection.

    If the file has a log beside it, a copy of both is read. An empty file, as left by a full disk, gets the
    empty tables of ``schema``.

    Raises:
        sqlite3.Error: it is not a database.
        OSError: there is no room for a copy.
    """
    log = file.with_name(f"{file.name}-wal")
    if not log.exists() or not log.stat().st_size:
        whole = _connect(file, "immutable=1")
        return whole if _has_tables(whole) else _only_read(_in_memory(), schema)
    with temporary_folder("history") as folder:
        for each in (file, log):
            shutil.copyfile(each, Path(folder, each.name))
        copy = sqlite3.connect(Path(folder, file.name), isolation_level=None)
        whole = _in_memory()
        copy.backup(whole)
        copy.close()
    return _only_read(whole, "" if _has_tables(whole) else schema)


def _in_memory() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)


def _only_read(connection: sqlite3.Connection, schema: str) -> sqlite3.Connection:
    connection.executescript(schema)
    connection.execute("PRAGMA query_only = ON")
    return connection


def _has_tables(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])


def _connect(file: Path, option: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{quote(str(file))}?{option}", uri=True, isolation_level=None, check_same_thread=False
    )
