"""The texts that runs replaced, kept in the record of a state folder until the history has them."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from cutline.errors import SinkError
from cutline.files import name_to_text
from cutline.formatting import plural, printable


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """A text that a run put in the place of one that it had not written; ``file`` is below the output.

    ``run`` counts the runs, ``time`` is in seconds since 1970, ``model`` the one that wrote ``after``.
    """

    run: int
    file: str
    before: bytes
    after: bytes
    model: str
    time: float


class ReplacedTexts:
    """The texts that runs have replaced, in the record of a state folder, until the history has them.

    Raises:
        SinkError: from all methods, where the record cannot be used, as while a run writes there.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> list[Replaced]:
        """Those of all runs, the earliest first."""
        if not self._file.exists():
            return []
        with self._open() as database:
            if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'replaced'").fetchone():
                return []  # of an earlier version
            rows = database.execute(
                "SELECT run, file, before, after, model, time FROM replaced ORDER BY run, rowid"
            ).fetchall()
        return [
            Replaced(run=run, file=file, before=before, after=after, model=model, time=time)
            for run, file, before, after, model, time in rows
        ]

    def forget(self, texts: Iterable[Replaced]) -> None:
        with self._open() as database, database:
            database.executemany(
                "DELETE FROM replaced WHERE run = ? AND file = ?", [(each.run, each.file) for each in texts]
            )

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            place = f"{self._file.absolute().as_uri()}?mode=rw"
            with contextlib.closing(sqlite3.connect(place, uri=True, timeout=0)) as database:
                yield database
        except sqlite3.Error as error:
            raise SinkError(
                f"cannot use {self._file}: {error}; wait for the run that writes there to end"
            ) from error


def undo_lines(count: int, root: Path | None, state: Path) -> list[str]:
    """What brings back the texts that a run replaced below ``root``; none where it replaced none."""
    if not count or root is None:
        return []
    command = ["cutline", "undo", name_to_text(str(root))]
    place, usual = Path(os.path.realpath(root)), Path(os.path.realpath(state))
    if usual not in {place.with_name(f"{mark}{place.name}.cutline") for mark in ("", "_")}:
        command += ["--state", name_to_text(str(state))]
    return [
        f"{plural(count, 'text')} replaced: `{printable(shlex.join(command))}` brings back what was there"
    ]
