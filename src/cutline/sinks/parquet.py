"""Parquet with the columns of every other table, typed where that is possible, and the raw response."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from cutline.records import JSON
from cutline.serialization import encode_json
from cutline.sinks.options import SinkOptions
from cutline.sinks.parts import PartsStore
from cutline.sinks.row_stores import StagedStore
from cutline.sinks.rows import NESTED, RowSink, columns

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH_ROWS = 1000
_BATCH_BYTES = 4 << 20
_GROUP_ROWS = 10_000
_GROUP_BYTES = 32 << 20
_LARGE = re.compile(rb"\d{19}")  # integers that only Python's own parser keeps exactly
_OBJECTS = ("metadata", "fields")
"""Columns that become structs; the other nested ones are JSON text."""


class ParquetSink(RowSink):
    """Text, int64 and float64 columns; ``metadata`` and ``fields`` as structs; others as JSON text.

    The structs have the types of the table that was read and of the JSON schema, and for the rest those
    of the values. In several files, ``rows_per_file``, only the declared types are used, so that all files
    agree: an object that does not fit is JSON text in ``metadata_json`` or ``fields_json``. Row groups hold
    about 10,000 rows, fewer where those are larger than 32 MB.
    """

    def __init__(self, output: str, state: Path, options: SinkOptions) -> None:
        if options.include_raw is None:
            options = dataclasses.replace(options, include_raw=True)
        self._untyped: dict[str, None] = {}

        def convert(rows: Path, part: Path) -> None:
            _Conversion(rows, part, options, self._untyped).run()

        kind = PartsStore if options.rows_per_file else StagedStore
        super().__init__(kind(output, state, options, convert), options)

    def record(self, values: JSON) -> bytes:
        flat = {
            name: encode_json(value).decode()
            if name in NESTED and name not in _OBJECTS and value is not None
            else value
            for name, value in values.items()
        }
        return encode_json(flat) + b"\n"

    @property
    def warnings(self) -> Sequence[str]:
        if not self._untyped:
            return ()
        names = ", ".join(self._untyped)
        return (f"JSON text in the Parquet output, as the values have no common type: {names}",)


@dataclasses.dataclass(slots=True)
class _Conversion:
    """One file of rows to one Parquet file. ``untyped`` collects the columns that became JSON text."""

    rows: Path
    part: Path
    options: SinkOptions
    untyped: dict[str, None]

    def run(self) -> None:
        from cutline.sinks.column_types import UntypedValue

        texts: dict[str, set[str]] = {name: set() for name in _OBJECTS}
        while True:
            try:
                self._write(self._structs(texts))
            except UntypedValue as error:  # of values that only writing finds to be of another type
                if self.options.rows_per_file or error.column in texts[error.name]:
                    raise
                texts[error.name].add(error.column)
            else:
                return

    def _structs(self, texts: dict[str, set[str]]) -> dict[str, pa.DataType | None]:
        """The struct of each object; ``texts`` are keys whose values become JSON text."""
        import pyarrow as pa

        from cutline.sinks import column_types

        declared = column_types.declared(self.options.column_types, self.options.fields_schema)
        if self.options.rows_per_file:
            return {name: column_types.struct(types) for name, types in declared.items()}
        found: dict[str, dict[str, pa.DataType]] = {name: {} for name in _OBJECTS}
        for batch in _batches(self.rows):
            for name, types in found.items():
                objects = [row[name] for row in batch if isinstance(row[name], dict)]
                column_types.extend(types, objects, declared[name], texts[name])
        for key, type_ in declared["fields"].items():
            found["fields"].setdefault(key, type_)
        for name, keys in texts.items():
            self.untyped.update(dict.fromkeys(f"{name}.{key}" for key in sorted(keys)))
            found[name] = {key: pa.string() if key in keys else type_ for key, type_ in found[name].items()}
        return {name: column_types.struct(types) for name, types in found.items()}

    def _write(self, structs: dict[str, pa.DataType | None]) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        kinds = {"prompt_tokens": pa.int64(), "completion_tokens": pa.int64(), "seconds": pa.float64()}
        fields = []
        for name in columns(self.options):
            struct = structs.get(name)
            fields.append((name, struct or kinds.get(name, pa.string())))
            if struct is not None and self.options.rows_per_file:
                fields.append((f"{name}_json", pa.string()))
        schema = pa.schema(fields)
        with parquet.ParquetWriter(self.part, schema, compression=self.options.parquet_compression) as writer:
            group: list[Any] = []
            for batch in _batches(self.rows):
                arrays = self._arrays(batch, schema, structs)
                group.append(pa.record_batch([arrays[field.name] for field in schema], schema=schema))
                table = pa.Table.from_batches(group)
                if table.num_rows >= _GROUP_ROWS or table.nbytes >= _GROUP_BYTES:
                    writer.write_table(table)
                    group = []
            if group:
                writer.write_table(pa.Table.from_batches(group))

    def _arrays(
        self, batch: list[JSON], schema: pa.Schema, structs: dict[str, pa.DataType | None]
    ) -> dict[str, pa.Array]:
        import pyarrow as pa

        from cutline.sinks import column_types

        arrays = {}
        for name in columns(self.options):
            values, struct = [row[name] for row in batch], structs.get(name)
            if name not in _OBJECTS:
                arrays[name] = pa.array(values, schema.field(name).type)
            elif struct is None:
                arrays[name] = pa.array(list(map(column_types.text, values)), pa.string())
            elif not self.options.rows_per_file:
                arrays[name] = column_types.struct_array(name, values, struct)
            else:
                fit = [column_types.fits(name, value, struct) for value in values]
                typed = [value if fits else None for value, fits in zip(values, fit, strict=True)]
                other = [None if fits else value for value, fits in zip(values, fit, strict=True)]
                arrays[name] = column_types.struct_array(name, typed, struct)
                arrays[f"{name}_json"] = pa.array(list(map(column_types.text, other)), pa.string())
                if not all(fit):
                    self.untyped[f"{name} (the rows are in {name}_json)"] = None
        return arrays


def _batches(rows: Path) -> Iterator[list[dict[str, Any]]]:
    """A few rows at a time: as Python objects they take several times what Arrow needs."""
    batch: list[dict[str, Any]] = []
    size = 0
    with rows.open("rb") as lines:
        for line in lines:
            row = orjson.loads(line)
            batch.append(json.loads(line) if _LARGE.search(line) else row)
            size += len(line)
            if len(batch) == _BATCH_ROWS or size >= _BATCH_BYTES:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch
