"""A table's rows, whatever file they stand in."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias

from cutline.errors import SourceError
from cutline.storage import is_remote

MAX_LINE_BYTES = 64 * 1024 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be read, and why; or with another ``kind`` the rest of its file."""

    message: str
    kind: str = "bad-row"


Row: TypeAlias = dict[str, Any] | BadRow


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a row of a text file is: after ``line`` lines, at ``offset`` as the opened file tells it."""

    row: int = 0
    line: int = 0
    offset: int = 0


BEGINNING = Place()


class Table(Protocol):
    """A table whose header was read.

    ``columns``: name to kind: ``text``, ``bytes``, ``picture`` (bytes and path), ``list`` or ``other``.
    """

    @property
    def path(self) -> str: ...

    @property
    def columns(self) -> Mapping[str, str]: ...

    @property
    def counted(self) -> Literal["line", "row"]: ...

    @property
    def types(self) -> Mapping[str, Any]:
        """The Arrow types of its columns, where the file has such."""
        return {}

    def rows(self, first: int = 0, *, only: str | Sequence[str] | None = None) -> Iterator[tuple[int, Row]]:
        """Read from the row ``first``, of the columns at least ``only``; SourceError: reading breaks off.

        With each row comes its number: of its line, from 1, or of its row, from 0; see ``counted``.
        """

    def count(self) -> int | None:
        """How many rows there are; None when only reading a remote file would tell."""


def count_rows(table: Table) -> int | None:
    """Count by reading everything; remote tables are not read for that."""
    return None if is_remote(table.path) else rows_in(table)


def readable_rows(
    table: Table, first: int = 0, *, only: str | Sequence[str] | None = None
) -> Iterator[tuple[str, Row]]:
    """The rows with their places, as ``Table.rows``; what is lost after damage is one bad row at the end.

    Raises:
        SourceError: the file may be whole another time, as on remote storage.
    """
    try:
        for counted, row in table.rows(first, only=only):
            yield f"{table.counted} {counted}", row
    except SourceError as error:
        if is_remote(table.path) or isinstance(error.__cause__, MemoryError):
            raise
        yield "file", BadRow(f"{error}; the rest of the file is lost", kind="damaged-shard")


def size_of(table: Table) -> int:
    """The number of rows, also where only reading a remote file tells."""
    return count if (count := table.count()) is not None else rows_in(table)


def rows_in(table: Table) -> int:
    """The number of rows that can be read, and one for what is damaged after them."""
    number = 0
    try:
        for _ in table.rows():
            number += 1
    except SourceError:
        number += 1
    return number
