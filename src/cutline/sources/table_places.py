"""Where the parts of a text table begin, so that none reads what is before it."""

from __future__ import annotations

import bisect
import contextlib
import dataclasses
import itertools
from typing import TYPE_CHECKING, TypeVar, cast

from cutline.errors import ConfigError, SourceError
from cutline.sources.delimited_tables import DelimitedTable
from cutline.sources.json_tables import JsonLinesTable
from cutline.sources.packed_files import DAMAGE
from cutline.sources.rows import BEGINNING, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cutline.sources.rows import Table

_T = TypeVar("_T", bound="Table")


def places_of(table: Table | None, rows: Sequence[int]) -> list[Place]:
    """Where reading begins for each of the rows, which ascend; the beginning, where a table has no places."""
    found: list[Place] = []
    if isinstance(table, DelimitedTable | JsonLinesTable):
        # What is damaged is found again, and reported, by whoever reads it.
        with contextlib.suppress(SourceError, OSError, ValueError, *DAMAGE):
            found.extend(table.places(rows))
    return [*found, *[found[-1] if found else BEGINNING] * (len(rows) - len(found))]


def begun_at(table: _T, place: Place) -> _T:
    """The table, which begins at a place of it for rows that are not before that."""
    if isinstance(table, DelimitedTable | JsonLinesTable) and place.row:
        return cast("_T", dataclasses.replace(table, place=place))
    return table


def places_in(
    tables: Sequence[Callable[[], Table]], sizes: Sequence[int], rows: Sequence[int]
) -> Iterator[Place]:
    """As ``places_of``, for rows that are counted over all of the tables, of which each has its size."""
    ends = list(itertools.accumulate(sizes))
    for index, found in itertools.groupby(rows, key=lambda row: bisect.bisect_right(ends, row)):
        before = [row - (ends[index - 1] if index else 0) for row in found]
        try:
            table = tables[index]() if index < len(tables) else None
        except ConfigError:  # the failure of its row
            table = None
        yield from places_of(table, before)
