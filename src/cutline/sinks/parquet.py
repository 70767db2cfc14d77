"""Parquet with the columns of every other table, and the raw response."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from cutline.records import JSON
from cutline.serialization import encode_json
from cutline.sinks.options import SinkOptions
from cutline.sinks.parts import PartsStore
from cutline.sinks.row_stores import StagedStore
from cutline.sinks.rows import NESTED, RowSink, columns

_BATCH_ROWS = 1000
_BATCH_BYTES = 4 << 20
_GROUP_ROWS = 10_000
_GROUP_BYTES = 32 << 20


class ParquetSink(RowSink):
    """Text, int64 and float64 columns; nested values and the response ``llm`` as JSON text.

    Row groups hold about 10,000 rows, fewer where those are larger than 32 MB. One file, or with
    ``rows_per_file`` several.
    """

    def __init__(self, output: str, state: Path, options: SinkOptions) -> None:
        options = dataclasses.replace(options, include_raw=True)

        def convert(rows: Path, part: Path) -> None:
            _write(rows, part, columns(options), options.parquet_compression)

        kind = PartsStore if options.rows_per_file else StagedStore
        super().__init__(kind(output, state, options, convert), options)

    def record(self, values: JSON) -> bytes:
        flat = {
            name: encode_json(value).decode() if name in NESTED and value is not None else value
            for name, value in values.items()
        }
        return encode_json(flat) + b"\n"


def _write(rows: Path, part: Path, names: tuple[str, ...], compression: str) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {"prompt_tokens": pa.int64(), "completion_tokens": pa.int64(), "seconds": pa.float64()}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in names])
    with parquet.ParquetWriter(part, schema, compression=compression) as writer:
        group: list[Any] = []
        for batch in _batches(rows):
            columns = [pa.array([row[field.name] for row in batch], field.type) for field in schema]
            group.append(pa.record_batch(columns, schema=schema))
            table = pa.Table.from_batches(group)
            if table.num_rows >= _GROUP_ROWS or table.nbytes >= _GROUP_BYTES:
                writer.write_table(table)
                group = []
        if group:
            writer.write_table(pa.Table.from_batches(group))


def _batches(rows: Path) -> Iterator[list[dict[str, Any]]]:
    """A few rows at a time: as Python objects they take several times what Arrow needs."""
    batch: list[dict[str, Any]] = []
    size = 0
    with rows.open("rb") as lines:
        for line in lines:
            batch.append(orjson.loads(line))
            size += len(line)
            if len(batch) == _BATCH_ROWS or size >= _BATCH_BYTES:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch
