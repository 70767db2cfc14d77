"""CSV after RFC 4180, and the same with tabs; the columns of every other table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from cutline.records import JSON
from cutline.serialization import encode_json, valid_unicode
from cutline.sinks.options import SinkOptions
from cutline.sinks.row_stores import StagedStore, copy
from cutline.sinks.rows import NESTED, RowSink, columns


class CsvSink(RowSink):
    """UTF-8 with a header; nested values as JSON text, null as an empty field.

    Values are written as they are: a caption that begins with ``=`` stays one, as reading back
    what was written matters more here than what a spreadsheet makes of it.
    """

    delimiter: ClassVar[str] = ","

    def __init__(self, output: str, state: Path, options: SinkOptions) -> None:
        header = line(columns(options), self.delimiter)
        store = StagedStore(output, state, options, lambda rows, part: copy(rows, part, header))
        super().__init__(store, options)

    def record(self, values: JSON) -> bytes:
        fields = [field_text(value, is_nested=name in NESTED) for name, value in values.items()]
        return line(fields, self.delimiter)


class TsvSink(CsvSink):
    """Quoted as CSV is, where a value holds a tab, a quote or a line break."""

    delimiter = "\t"


def line(fields: Iterable[Any], delimiter: str = ",") -> bytes:
    """One line of a table, with its line break."""
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter).writerow(fields)
    return buffer.getvalue().encode()


def field_text(value: Any, *, is_nested: bool) -> Any:
    """A value as it stands in a field: null is empty, and what is nested is JSON text."""
    if value is None:
        return ""
    if is_nested:
        return encode_json(value).decode()
    return valid_unicode(value) if isinstance(value, str) else value
