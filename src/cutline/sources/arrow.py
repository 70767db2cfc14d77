"""Parquet, Feather and Arrow files, a batch of rows at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from cutline.errors import ConfigError, SourceError
from cutline.formatting import one_line
from cutline.sources.input_files import open_binary
from cutline.sources.names import decode_text
from cutline.sources.rows import Row, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

# What pyarrow raises for damaged, encrypted and foreign files; ArrowInvalid is a ValueError.
_ERRORS = (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError)


def arrow_table(path: str, ending: str, batch_size: int) -> Table:
    """Look at a file's schema.

    Raises:
        ConfigError: it does not exist, is damaged or encrypted, or is of another kind.
    """
    try:
        with open_binary(path) as file:
            schema, count = _parquet_header(file) if ending == "parquet" else _ipc_header(file)
    except _ERRORS as error:
        raise ConfigError(f"{path} is no {ending} file that can be read: {one_line(error)}") from error

    def rows() -> Iterator[tuple[int, Row]]:
        done = 0
        with open_binary(path) as file:
            try:
                batches = _parquet(file, batch_size) if ending == "parquet" else _ipc(file)
                for batch in batches:
                    columns = [_values(column) for column in batch.columns]
                    for number, values in enumerate(zip(*columns, strict=True), done):
                        yield number, dict(zip(batch.schema.names, values, strict=True))
                    done += batch.num_rows
            except _ERRORS as error:
                raise SourceError(f"{path} is damaged after row {done:,}: {one_line(error)}") from error

    columns = {field.name: _kind(field.type) for field in schema}
    return Table(path=path, columns=columns, rows=rows, count=lambda: count, counted="row")


def _parquet_header(file: BinaryIO) -> tuple[pa.Schema, int | None]:
    parquet = pyarrow.parquet.ParquetFile(file)
    return parquet.schema_arrow, parquet.metadata.num_rows


def _ipc_header(file: BinaryIO) -> tuple[pa.Schema, int | None]:
    reader = _ipc_reader(file)
    if not isinstance(reader, pa.ipc.RecordBatchFileReader):
        return reader.schema, None
    return reader.schema, sum(reader.get_batch(i).num_rows for i in range(reader.num_record_batches))


def _ipc_reader(file: BinaryIO) -> Any:
    """A Feather or Arrow file; the stream form is what the Hugging Face cache holds."""
    magic = file.read(6)
    file.seek(0)
    return pa.ipc.open_file(file) if magic == b"ARROW1" else pa.ipc.open_stream(file)


def _parquet(file: BinaryIO, batch_size: int) -> Iterator[pa.RecordBatch]:
    parquet = pyarrow.parquet.ParquetFile(file, pre_buffer=False, buffer_size=1024 * 1024)
    yield from parquet.iter_batches(batch_size=batch_size, use_threads=False)


def _ipc(file: BinaryIO) -> Iterator[pa.RecordBatch]:
    reader = _ipc_reader(file)
    if isinstance(reader, pa.ipc.RecordBatchFileReader):
        yield from (reader.get_batch(index) for index in range(reader.num_record_batches))
    else:
        yield from reader


def _values(column: pa.Array) -> list[Any]:
    try:
        values: list[Any] = column.to_pylist()
    except UnicodeDecodeError:
        cells = column.cast(pa.binary()).to_pylist()
        return [None if cell is None else decode_text(cell) for cell in cells]
    except (ValueError, ImportError):  # times finer than Python's own, or time zones it does not know
        values = [None if cell is None else str(cell) for cell in column.cast(pa.string()).to_pylist()]
    return values


def _kind(type_: pa.DataType) -> str:
    types = pa.types
    if types.is_dictionary(type_):
        type_ = type_.value_type
    if types.is_struct(type_):
        fields = {type_.field(index).name for index in range(type_.num_fields)}
        return "picture" if {"bytes", "path"} <= fields else "other"
    if types.is_binary(type_) or types.is_large_binary(type_):
        return "bytes"
    if types.is_string(type_) or types.is_large_string(type_):
        return "text"
    return "list" if types.is_list(type_) or types.is_large_list(type_) else "other"
