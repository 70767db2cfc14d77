"""A table's rows, whatever file they stand in."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeAlias

from cutline.storage import is_remote

MAX_LINE_BYTES = 64 * 1024 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be read, and why."""

    message: str


Row: TypeAlias = dict[str, Any] | BadRow


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table that was opened far enough to know its columns.

    ``columns``: name to kind: ``text``, ``bytes``, ``picture`` (bytes and path together), ``list`` or
    ``other``. ``rows``: opens the file anew; with each row comes the number of its line in a file of text,
    from 1, else its own, from 0, as ``counted`` says. ``count``: None when only reading everything would
    tell.
    """

    path: str
    columns: dict[str, str]
    rows: Callable[[], Iterator[tuple[int, Row]]]
    count: Callable[[], int | None]
    counted: Literal["line", "row"]


def counter(path: str, rows: Callable[[], Iterator[tuple[int, Row]]]) -> Callable[[], int | None]:
    """Counts the rows by reading them all; None for remote tables, which are not read for that."""
    return lambda: None if is_remote(path) else sum(1 for _ in rows())
