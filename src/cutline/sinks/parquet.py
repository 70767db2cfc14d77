"""Parquet with the columns of every other table, and the raw response."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from cutline.records import JSON
from cutline.sinks.options import SinkOptions
from cutline.sinks.rows import COLUMNS, NESTED, encode
from cutline.sinks.stores import GatheredStore
from cutline.sinks.tables import RowSink

_GROUP_ROWS = 10_000
_GROUP_BYTES = 64 << 20


class ParquetSink(RowSink):
    """Text, int64 and float64 columns; nested values and the response ``llm`` as JSON text.

    Row groups hold 10,000 rows, fewer where those are larger than 64 MB.
    """

    def __init__(self, output: str, state: Path, options: SinkOptions) -> None:
        compression = options.parquet_compression

        def convert(rows: Path, part: Path) -> None:
            _write(rows, part, compression)

        super().__init__(GatheredStore(output, state, options, convert), include_raw=True)

    def record(self, values: JSON) -> bytes:
        flat = {
            name: encode(value).decode() if name in NESTED and value is not None else value
            for name, value in values.items()
        }
        return encode(flat) + b"\n"


def _write(rows: Path, part: Path, compression: str) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {"prompt_tokens": pa.int64(), "completion_tokens": pa.int64(), "seconds": pa.float64()}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in (*COLUMNS, "llm")])
    with parquet.ParquetWriter(part, schema, compression=compression) as writer:
        for group in _groups(rows):
            columns = [pa.array([row[field.name] for row in group], field.type) for field in schema]
            writer.write_table(pa.table(columns, schema=schema), row_group_size=_GROUP_ROWS)


def _groups(rows: Path) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    size = 0
    with rows.open("rb") as lines:
        for line in lines:
            group.append(orjson.loads(line))
            size += len(line)
            if len(group) == _GROUP_ROWS or size >= _GROUP_BYTES:
                yield group
                group, size = [], 0
    if group:
        yield group
