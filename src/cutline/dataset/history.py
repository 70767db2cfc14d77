"""The history of a dataset: every edit with the content before and after, stored before files change."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from time import time as now
from typing import Any, Final

import filelock

from cutline.dataset.history_file import HistoryFile
from cutline.dataset.records import Change, EditInfo, EditRecord, Status, Version
from cutline.errors import SinkError

_BLOCK: Final = 1000  # changes that are in memory at a time
_WAIT: Final = 60.0  # seconds for another process to end its edit


class History(HistoryFile):
    """The edits of a dataset, each with its changes.

    An edit is committed with all its changes, then files are written, then it is closed: an open edit was
    interrupted. All methods may be called from several threads.

    Raises:
        SinkError: from all methods, where it cannot be read or written.
        ConfigError: the same, where it is damaged or of a newer version.
    """

    def __init__(self, state: Path) -> None:
        super().__init__(state)
        self._data_version = 0  # as SQLite counts the changes of other connections

    def _record(self, row: Sequence[Any]) -> EditRecord:
        try:
            return _record(row)
        except ValueError as error:
            raise self._damaged(error) from error

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Lock the dataset for one edit, against other processes."""
        with self._errors():
            self._state.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self._state / "history.lock", timeout=_WAIT)
            try:
                lock.acquire()
            except filelock.Timeout:
                raise SinkError(
                    f"another program is editing {self._state.with_suffix('').name}: wait for it to end"
                ) from None
        try:
            yield
        finally:
            lock.release()

    def begin(
        self,
        info: EditInfo,
        changes: Iterable[Change],
        *,
        extended: int | None = None,
        time: float | None = None,
    ) -> int:
        """Commit an open edit with its changes, durably; returns its id.

        ``extended``: an edit to add them to, if it is still in effect. ``time``: in seconds since 1970, by
        default now.
        """
        values = (info.kind, info.summary, info.author, info.model, info.prompt_id, info.target)
        with self._transaction() as database:
            query = "UPDATE edits SET state = 'open' WHERE id = ? AND state = 'done' AND undone_by IS NULL"
            number = extended if database.execute(query, (extended,)).rowcount else None
            status = Status.WRITTEN if number is None else Status.PENDING
            if number is None:
                number = database.execute(
                    "INSERT INTO edits (time, kind, summary, author, model, prompt_id, target, state)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, 'open')",
                    (now() if time is None else time, *values),
                ).lastrowid
            assert number is not None
            database.executemany(
                "INSERT INTO changes (edit, file, before, after, status) VALUES (?, ?, ?, ?, ?)",
                ((number, one.file, one.before, one.after, int(status)) for one in changes),
            )
        return number

    def finish(self, edit: int, statuses: Sequence[tuple[Status, str]], files: int) -> None:
        """Close an edit that wrote ``files``; ``statuses`` are those of the changes that were not written."""
        state = "stopped" if any(status is Status.STOPPED for status, _ in statuses) else "done"
        with self._transaction() as database:
            database.execute(_SET_WRITTEN, (edit,))
            database.executemany(
                "UPDATE changes SET status = ? WHERE edit = ? AND file = ?",
                ((int(status), edit, file) for status, file in statuses),
            )
            query = "UPDATE edits SET state = ?, files = files + ? WHERE id = ?"
            database.execute(query, (state, files, edit))
            query = "SELECT target, kind FROM edits WHERE id = ?"
            target, kind = database.execute(query, (edit,)).fetchone()
            if target is not None and files:  # else nothing was undone, and it can be tried again
                database.execute("UPDATE edits SET undone_by = ? WHERE id = ?", (edit, target))
            if kind not in {"undo", "redo"}:  # what was undone before cannot be redone any more
                query = "UPDATE edits SET undone_by = ? WHERE kind = 'undo' AND undone_by IS NULL"
                database.execute(query, (edit,))

    def changes(self, edit: int, *, status: Status | None = Status.WRITTEN) -> list[Change]:
        """The changes of an edit with a status; all for None."""
        query = "SELECT file, before, after FROM changes WHERE edit = ?"
        rows = self._read(query + ("" if status is None else f" AND status = {int(status)}"), edit)
        return [Change(file=file, before=before, after=after) for file, before, after in rows]

    def blocks(self, edit: int, *, status: Status | None = None) -> Iterator[list[Change]]:
        """As ``changes``, in the order of the edit, block by block."""
        only = "" if status is None else f" AND status = {int(status)}"
        ends = self._read(f"SELECT min(rowid), max(rowid) FROM changes WHERE edit = ?{only}", edit)  # noqa: S608 - constants
        last, end = ends[0] if ends else (None, None)
        if last is None:
            return
        last -= 1
        where = f"rowid > ? AND rowid <= ? AND +edit = ?{only}"
        query = f"SELECT rowid, file, before, after FROM changes WHERE {where} ORDER BY rowid LIMIT {_BLOCK}"  # noqa: S608 - constants
        while rows := self._read(query, last, end, edit):
            last = rows[-1][0]
            yield [Change(file=file, before=before, after=after) for _, file, before, after in rows]

    def unwritten(self, edit: int) -> Iterator[list[Change]]:
        """As ``blocks``, of an open edit: the added changes, or all if none were added."""
        added = self.blocks(edit, status=Status.PENDING)
        first = next(added, None)
        return self.blocks(edit) if first is None else itertools.chain([first], added)

    def first_file(self, edit: int) -> str:
        """A content that an edit changed: a file or caption, if there is one; empty for none."""
        query = "SELECT file FROM changes WHERE edit = ? ORDER BY file LIKE '/%', file LIMIT 1"
        rows = self._read(query, edit)
        return rows[0][0] if rows else ""

    def edits(self, *, limit: int = 100, before: int | None = None) -> list[EditRecord]:
        """Edits older than ``before``, the latest first."""
        where = "" if before is None else "WHERE id < ?"
        values = () if before is None else (before,)
        return [
            self._record(row)
            for row in self._read(f"{_SELECT} {where} ORDER BY id DESC LIMIT {limit}", *values)
        ]

    def taken_back(self, records: Sequence[EditRecord]) -> dict[int, int]:
        """How many files of edits their undos wrote, or of undos their redos; only where there are any."""
        numbers = {record.id for record in records if record.undone_by is not None}
        if not numbers:
            return {}
        query = "SELECT target, sum(files) FROM edits WHERE target IS NOT NULL AND id > ? GROUP BY target"
        return {target: files for target, files in self._read(query, min(numbers)) if target in numbers}

    def edits_after(self, number: int) -> list[EditRecord]:
        """The edits after the one of that number, the earliest first."""
        return [self._record(row) for row in self._read(f"{_SELECT} WHERE id > ? ORDER BY id", number)]

    def latest(self) -> int:
        """The number of the latest edit; 0 if there is none."""
        rows = self._read("SELECT max(id) FROM edits")
        return (rows[0][0] or 0) if rows else 0

    def is_changed_elsewhere(self) -> bool:
        """Whether another process has written since the last call."""
        rows = self._read("PRAGMA data_version")
        version = rows[0][0] if rows else 0
        if version == self._data_version:
            return False
        self._data_version = version
        return True

    def edit(self, number: int) -> EditRecord | None:
        rows = self._read(f"{_SELECT} WHERE id = ?", number)
        return self._record(rows[0]) if rows else None

    def interrupted(self) -> list[EditRecord]:
        """The open edits; outside of ``writing``, including those of running processes."""
        return [self._record(row) for row in self._read(f"{_SELECT} WHERE state = 'open' ORDER BY id")]

    def undoable(self, *, before: int | None = None) -> EditRecord | None:
        """The latest edit in effect that wrote something; of those older than ``before``."""
        rows = self._read(
            f"{_SELECT} WHERE kind != 'undo' AND undone_by IS NULL AND state != 'open' AND files > 0"
            f"{'' if before is None else ' AND id < ?'} ORDER BY id DESC LIMIT 1",
            *(() if before is None else (before,)),
        )
        return self._record(rows[0]) if rows else None

    def redoable(self) -> EditRecord | None:
        """The undo that can be redone: the latest, unless there was an edit since."""
        rows = self._read(
            f"{_SELECT} WHERE kind = 'undo' AND undone_by IS NULL AND files > 0 ORDER BY id DESC LIMIT 1"
        )
        return self._record(rows[0]) if rows else None

    def in_effect(self, record: EditRecord) -> EditRecord:
        """The edit itself, or of its redos the last one that is in effect, if only for some files."""
        redone = [record]
        while (number := redone[-1].undone_by) is not None:
            undo = self.edit(number)
            redo = self.edit(undo.undone_by) if undo is not None and undo.undone_by is not None else None
            if undo is None or redo is None or redo.info.target != undo.id:
                break
            redone.append(redo)
        taken = self.taken_back(redone)
        return next((one for one in reversed(redone) if taken.get(one.id, 0) < one.files), record)

    def versions(self, file: str) -> list[Version]:
        """What a file has held before and after each of its edits, the latest first."""
        rows = self._read(
            f"SELECT {_COLUMNS}, changes.before, changes.after FROM edits JOIN changes"  # noqa: S608 - constants
            " ON changes.edit = edits.id WHERE file = ? AND status = 0 ORDER BY id DESC, changes.rowid DESC",
            file,
        )
        return [Version(edit=self._record(row), before=row[-2], content=row[-1]) for row in rows]

    def value(self, name: str) -> bytes | None:
        """A value that is stored in the history itself."""
        rows = self._read("SELECT content FROM stored WHERE name = ?", name)
        return rows[0][0] if rows else None

    def values(self, prefix: str) -> dict[str, bytes]:
        """The values whose names begin with ``prefix``, by the rest of the name."""
        query = "SELECT name, content FROM stored WHERE name >= ? AND name < ?"
        rows = self._read(query, prefix, prefix + "\U0010ffff")
        return {name[len(prefix) :]: content for name, content in rows}

    def store(self, values: Mapping[str, bytes | None]) -> None:
        """Store values, or remove them with None."""
        with self._transaction() as database:
            removed = [(name,) for name, content in values.items() if content is None]
            kept = [(name, content) for name, content in values.items() if content is not None]
            database.executemany("DELETE FROM stored WHERE name = ?", removed)
            database.executemany("INSERT OR REPLACE INTO stored VALUES (?, ?)", kept)

    def last_edits(self) -> Iterator[tuple[str, float, str, str]]:
        """For every file written by edits in effect: time, model and author of the last one."""
        return iter(
            self._read(
                "SELECT file, max(time), model, author FROM changes JOIN edits ON edits.id = edit"
                " WHERE status = 0 AND undone_by IS NULL AND kind != 'undo' GROUP BY file"
            )
        )

    def models(self) -> list[str]:
        """The models of edits, by name."""
        return [
            name for (name,) in self._read("SELECT DISTINCT model FROM edits WHERE model != '' ORDER BY 1")
        ]


# An undo that can no longer be redone, as something was edited since, is not taken back by that.
_UNDONE_BY: Final = (
    "CASE WHEN kind != 'undo' OR"
    " (SELECT target FROM edits AS later WHERE later.id = edits.undone_by) = edits.id THEN undone_by END"
)
_LATEST: Final = 2.5e11  # seconds, in the year 9892
_COLUMNS: Final = f"id, time, kind, summary, author, model, prompt_id, target, state, {_UNDONE_BY}, files"
_SELECT: Final = f"SELECT {_COLUMNS} FROM edits"  # noqa: S608 - constants
_SET_WRITTEN: Final = (
    f"UPDATE changes SET status = {int(Status.WRITTEN)} WHERE edit = ? AND status = {int(Status.PENDING)}"  # noqa: S608 - constants
)


def _record(row: Sequence[Any]) -> EditRecord:
    """Raises ValueError for values of other types, or a time that no calendar has."""
    texts, numbers = (row[2], row[3], row[4], row[5], row[6], row[8]), (row[7], row[9])
    is_whole = all(isinstance(text, str) for text in texts) and isinstance(row[10], int)
    is_whole &= all(number is None or isinstance(number, int) for number in numbers)
    if not is_whole or not isinstance(row[1], int | float) or not abs(row[1]) < _LATEST:
        raise ValueError(f"edit {row[0]} has values of another type")
    info = EditInfo(kind=row[2], summary=row[3], author=row[4], model=row[5], prompt_id=row[6], target=row[7])
    return EditRecord(id=row[0], time=row[1], info=info, state=row[8], undone_by=row[9], files=row[10])
