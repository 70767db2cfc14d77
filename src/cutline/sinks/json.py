"""One JSON array of all rows."""

from __future__ import annotations

from pathlib import Path

from cutline.records import JSON
from cutline.serialization import encode_json
from cutline.sinks.options import SinkOptions
from cutline.sinks.row_stores import StagedStore, copy
from cutline.sinks.rows import RowSink


class JsonSink(RowSink):
    """An indented array; each row's metadata holds the caption too, as older tools expect it."""

    def __init__(self, output: str, state: Path, options: SinkOptions) -> None:
        super().__init__(StagedStore(output, state, options, _enclose), options)

    def record(self, values: JSON) -> bytes:
        values["metadata"] = {**values["metadata"], "caption": values["caption"]}
        # Line breaks within strings are escaped, so these are the ones between values.
        text = b"  " + encode_json(values, indent=True).replace(b"\n", b"\n  ")
        return b",\n" + text if self._store.records else text


def _enclose(rows: Path, part: Path) -> None:
    if rows.stat().st_size:
        copy(rows, part, b"[\n", b"\n]\n")
    else:
        copy(rows, part, b"[]\n")
