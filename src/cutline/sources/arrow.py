"""Parquet, Feather and Arrow files, a batch of rows at a time."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from cutline.errors import ConfigError, SourceError
from cutline.formatting import one_line
from cutline.sidecars.encoding import decode_text
from cutline.sources.input_files import open_binary
from cutline.sources.rows import BadRow
from cutline.storage import is_remote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cutline.sources.rows import Row

MAX_COLUMN_BYTES = 2 * 1024**3
_CONTINUATION = b"\xff\xff\xff\xff"
_END = _CONTINUATION + bytes(4)
_STREAM_AT = 8  # where the stream within an Arrow file begins
MAX_BATCH = 10_000_000  # rows
MAX_RATIO = 20  # unpacked to packed; pictures and texts stay below
# What pyarrow raises for damaged, encrypted and foreign files; ArrowInvalid is a ValueError.
_ERRORS = (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError)


def arrow_table(path: str, ending: str, batch_size: int) -> ArrowTable:
    """Read the schema; raises ConfigError for a missing, damaged, encrypted or other file."""
    try:
        with open_binary(path) as file:
            groups = None
            if ending == "parquet":
                parquet = pyarrow.parquet.ParquetFile(file)
                schema, count, groups = parquet.schema_arrow, parquet.metadata.num_rows, parquet.metadata
            else:
                schema, count = _ipc_header(_ipc_reader(file))
    except _ERRORS as error:
        raise ConfigError(f"{path} is not a valid {ending} file: {one_line(error)}") from error

    _check_groups(path, groups)
    columns = {field.name: _kind(field.type) for field in schema}
    types = {field.name: field.type for field in schema}
    return ArrowTable(
        path=path, ending=ending, batch_size=batch_size, columns=columns, number=count, types=types
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ArrowTable:
    """A Parquet, Feather or Arrow file; ``number`` of rows, None where its header does not tell."""

    path: str
    ending: str
    batch_size: int
    columns: Mapping[str, str]
    number: int | None
    types: Mapping[str, pa.DataType]
    counted: Literal["row"] = "row"

    def rows(self, first: int = 0, *, only: str | Sequence[str] | None = None) -> Iterator[tuple[int, Row]]:
        """The rows from ``first`` on; each one in a damaged row group or batch of a local file is a bad row.

        Raises:
            SourceError: the file cannot be read any further.
        """
        done = first
        group = "row group" if self.ending == "parquet" else "batch of rows"
        with open_binary(self.path) as file:
            for end, batches in self._pieces(file, first, only):
                reason = "it has fewer rows than its footer says"
                try:
                    for batch in batches:
                        columns = [_values(column) for column in batch.columns]
                        numbers = range(done, done + batch.num_rows)
                        for number, *values in zip(numbers, *columns, strict=True):
                            yield number, dict(zip(batch.schema.names, values, strict=True))
                        done += batch.num_rows
                except _ERRORS as error:
                    reason = one_line(error)
                    no_row = end is None or done >= end
                    if no_row or isinstance(error, MemoryError) or is_remote(self.path):
                        message = f"{self.path} is damaged after row {done:,}: {reason}"
                        raise SourceError(message) from error
                for number in range(done, end or 0):
                    yield number, BadRow(f"its {group} is damaged: {reason}")
                done = max(done, end or 0)

    def _pieces(
        self, file: BinaryIO, first: int, only: str | Sequence[str] | None
    ) -> Iterator[tuple[int | None, Iterable[pa.RecordBatch]]]:
        """What can be read although the piece before is damaged, each with the number of the row after it."""
        if self.ending == "parquet":
            yield from _parquet(file, self.batch_size, first, only)
            return
        reader = _ipc_reader(file)
        if isinstance(reader, pa.ipc.RecordBatchFileReader):
            yield from _ipc(reader, first)
        else:
            yield from _stream(reader, first)
            if _is_file_form(file):
                raise SourceError(f"{self.path} is damaged: the footer is missing at its end")

    def count(self) -> int | None:
        return self.number


def _check_groups(path: str, parquet: Any) -> None:
    """Refuse a file by its footer, before memory is taken, if it holds little that unpacks to gigabytes."""
    for group in range(parquet.num_row_groups if parquet else 0):
        columns = parquet.row_group(group)
        for number in range(columns.num_columns):
            column = columns.column(number)
            size, packed = column.total_uncompressed_size, max(1, column.total_compressed_size)
            if size > MAX_COLUMN_BYTES and size > MAX_RATIO * packed:
                raise ConfigError(
                    f"{path}: column {column.path_in_schema!r} of row group {group} would unpack from "
                    f"{packed / 1e6:,.1f} MB to {size / 1e9:,.1f} GB; write it again with smaller row groups "
                    "(pyarrow: row_group_size=1000), or without that column"
                )


def lacks_end(path: str) -> bool:
    """Whether an Arrow stream on this machine has no mark at its end: it may be cut, or never had one."""
    with open_binary(path) as file:
        first = file.read(6)
        if first == b"ARROW1" or file.seek(0, os.SEEK_END) < len(_END):
            return False
        file.seek(-len(_END), os.SEEK_END)
        end = file.read()
    return end != _END if first.startswith(_CONTINUATION) else end[-4:] != bytes(4)  # as before Arrow 0.15


def _ipc_header(reader: Any) -> tuple[pa.Schema, int | None]:
    if not isinstance(reader, pa.ipc.RecordBatchFileReader):
        return reader.schema, None
    return reader.schema, sum(_ipc_sizes(reader))


def _ipc_sizes(reader: pa.ipc.RecordBatchFileReader) -> Iterator[int]:
    """The rows of each batch; one for a batch that cannot be read."""
    for number in range(reader.num_record_batches):
        try:
            yield _checked(reader.get_batch(number)).num_rows
        except _ERRORS:
            yield 1


def _ipc_reader(file: BinaryIO) -> Any:
    """A Feather or Arrow file; the stream form is what the Hugging Face cache holds.

    A file that is cut has lost its footer, and is read as the stream that is in it.
    """
    if not _is_file_form(file):
        return pa.ipc.open_stream(file)
    try:
        return pa.ipc.open_file(file)
    except pa.ArrowInvalid:
        file.seek(_STREAM_AT)
        try:
            return pa.ipc.open_stream(file)
        except _ERRORS:
            pass  # what is wrong with the file says more
        raise


def _is_file_form(file: BinaryIO) -> bool:
    file.seek(0)
    magic = file.read(6)
    file.seek(0)
    return magic == b"ARROW1"


def _checked(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch, once its lengths and offsets fit its buffers: pyarrow ends the process where they do not."""
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid as error:
        if "UTF8" not in str(error):  # such texts are read in their encoding
            raise
    return batch


def _parquet(
    file: BinaryIO, batch_size: int, first: int, only: str | Sequence[str] | None
) -> Iterator[tuple[int, Iterator[pa.RecordBatch]]]:
    """The batches of each row group from the row ``first`` on; row groups before it are not read."""
    parquet = pyarrow.parquet.ParquetFile(file, pre_buffer=False, buffer_size=1024 * 1024)
    columns = [only] if isinstance(only, str) else None if only is None else list(only)
    end = 0
    for group in range(parquet.num_row_groups):
        start, end = end, end + parquet.metadata.row_group(group).num_rows
        if first < end:
            yield end, _without(_group(parquet, group, batch_size, columns), max(0, first - start))


def _group(parquet: Any, group: int, batch_size: int, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
    yield from parquet.iter_batches(
        batch_size=batch_size, row_groups=[group], columns=columns, use_threads=False
    )


def _ipc(reader: pa.ipc.RecordBatchFileReader, first: int) -> Iterator[tuple[int, Iterator[pa.RecordBatch]]]:
    """As ``_parquet``, for the batches of an Arrow file."""
    end = 0
    for number, size in enumerate(_ipc_sizes(reader)):
        start, end = end, end + size
        if first < end:
            yield end, _without(_batch(reader, number), max(0, first - start))


def _stream(
    reader: pa.RecordBatchReader, first: int
) -> Iterator[tuple[int | None, Iterator[pa.RecordBatch]]]:
    """As ``_ipc``, for a stream, which is lost after a batch whose header cannot be read."""
    end = 0
    try:
        for batch in reader:
            start, end = end, end + batch.num_rows
            known = end if batch.num_rows <= MAX_BATCH else None  # more is damage
            if first < end:
                yield known, _without(map(_checked, [batch]), max(0, first - start))
    except _ERRORS as error:
        yield None, map(_raise, [error])


def _raise(error: Exception) -> pa.RecordBatch:
    raise error


def _batch(reader: pa.ipc.RecordBatchFileReader, number: int) -> Iterator[pa.RecordBatch]:
    yield _checked(reader.get_batch(number))


def _without(batches: Iterable[pa.RecordBatch], first: int) -> Iterator[pa.RecordBatch]:
    """The batches without their first rows."""
    for batch in batches:
        if first < batch.num_rows:
            yield batch.slice(first)
        first = max(0, first - batch.num_rows)


def _values(column: pa.Array) -> list[Any]:
    try:
        values: list[Any] = column.to_pylist()
    except UnicodeDecodeError:
        try:
            cells = column.cast(pa.binary()).to_pylist()
        except pa.ArrowException:
            return [_cell(cell) for cell in column]
        return [None if cell is None else decode_text(cell) for cell in cells]
    except (ValueError, OverflowError, ImportError):
        return [_cell(cell) for cell in column]
    return values


def _cell(cell: pa.Scalar) -> Any:
    """The value; as text, or None, where Python has none: late dates, fine times, unknown time zones."""
    try:
        return cell.as_py()
    except (ValueError, OverflowError, ImportError):
        pass
    try:
        return pa.array([cell], cell.type).cast(pa.string()).to_pylist()[0]
    except (pa.ArrowException, ValueError, TypeError):
        return None


def _kind(type_: pa.DataType) -> str:
    types = pa.types
    if types.is_dictionary(type_):
        type_ = type_.value_type
    if types.is_struct(type_):
        fields = {type_.field(index).name for index in range(type_.num_fields)}
        return "picture" if {"bytes", "path"} <= fields or fields == {"bytes"} else "other"
    binary = (types.is_binary, types.is_large_binary, types.is_binary_view, types.is_fixed_size_binary)
    if any(is_binary(type_) for is_binary in binary):
        return "bytes"
    if types.is_string(type_) or types.is_large_string(type_) or types.is_string_view(type_):
        return "text"
    lists = (types.is_list, types.is_large_list, types.is_list_view, types.is_large_list_view)
    return "list" if any(is_list(type_) for is_list in lists) else "other"
