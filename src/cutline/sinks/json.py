"""One JSON array of all rows."""

from __future__ import annotations

from pathlib import Path

from cutline.records import JSON
from cutline.serialization import encode_json
from cutline.sinks.options import SinkOptions
from cutline.sinks.row_stores import StagedStore, copy
from cutline.sinks.tables import RowSink


class JsonSink(RowSink):
    """An indented array; each row's metadata holds the caption too, as older tools expect it."""

    def __init__(self, output: str, state: Path, options: SinkOptions) -> None:
        self._gathered = StagedStore(output, state, options, _enclose)
        super().__init__(
            self._gathered, include_raw=options.include_raw, include_checks=options.include_checks
        )

    def record(self, values: JSON) -> bytes:
        values["metadata"] = {**values["metadata"], "caption": values["caption"]}
        # Line breaks within strings are escaped, so these are the ones between values.
        text = b"  " + encode_json(values, indent=True).replace(b"\n", b"\n  ")
        return b",\n" + text if self._gathered.records else text


def _enclose(rows: Path, part: Path) -> None:
    if rows.stat().st_size:
        copy(rows, part, b"[\n", b"\n]\n")
    else:
        copy(rows, part, b"[]\n")
