"""Rows of a Parquet file as far as their keys need them: pictures that have a name are not read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cutline.sources.input_files import open_binary
from cutline.sources.rows import BadRow, Row, Table, readable_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

STAND_IN = b"\0"
"""In place of a picture's bytes."""


def rows_for_keys(
    table: Table, column: str, names: Sequence[str], is_named: Callable[[dict[str, Any]], bool], first: int
) -> Iterator[tuple[str, Row]]:
    """As ``readable_rows``, with ``STAND_IN`` for the bytes in ``column`` of rows that ``is_named``.

    ``names`` are the columns of which the key is made. From the first row on that has no name, all is read.
    """
    if table.columns[column] == "text":
        yield from readable_rows(table, first, only=(column, *names))
        return
    read = 0
    inner = _picture_names(table, column)
    if inner is not None and (wanted := (*inner, *names)):
        for where, row in readable_rows(table, first, only=wanted):
            if isinstance(row, BadRow):
                yield where, row
            else:
                cell = row.get(column)
                with_picture = {**row, column: {**cell, "bytes": STAND_IN} if cell else STAND_IN}
                if not is_named(with_picture):
                    break
                yield where, with_picture
            read += 1
        else:
            return
    yield from readable_rows(table, first + read)


def _picture_names(table: Table, column: str) -> list[str] | None:
    """What to read of a column for the names in it, where all rows are known to have bytes.

    None where only reading them would tell.
    """
    kind, is_parquet = table.columns[column], table.path.lower().endswith(".parquet")
    if kind not in {"bytes", "picture"} or not is_parquet:
        return None
    import pyarrow.parquet

    type_ = table.types[column]
    fields = {type_.field(index).name for index in range(type_.num_fields)} if kind == "picture" else set()
    if fields - {"bytes", "path"}:
        return None
    with open_binary(table.path) as file:
        metadata = pyarrow.parquet.ParquetFile(file).metadata
        is_full = _has_values(metadata, f"{column}.bytes" if fields else column)
    return ([f"{column}.path"] if "path" in fields else []) if is_full else None


def _has_values(metadata: Any, column: str) -> bool:
    """Whether a column of bytes holds some in every row, by the statistics of its row groups."""
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        chunks = map(group.column, range(group.num_columns))
        chunk = next((chunk for chunk in chunks if chunk.path_in_schema == column), None)
        statistics = None if chunk is None else chunk.statistics
        if statistics is None or not statistics.has_null_count or statistics.null_count:
            return False
        if statistics.has_min_max and not statistics.min:
            return False
    return True
