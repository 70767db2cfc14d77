"""JSON lines: one row a line, readable while it grows."""

from __future__ import annotations

from pathlib import Path

from cutline.records import JSON
from cutline.serialization import encode_json
from cutline.sinks.options import SinkOptions
from cutline.sinks.row_stores import InPlaceStore, StagedStore, copy
from cutline.sinks.rows import RowSink
from cutline.storage import is_remote, local_path


class JsonlSink(RowSink):
    """Grows in place on this machine; on remote storage it is uploaded at the end."""

    def __init__(self, output: str, state: Path, options: SinkOptions) -> None:
        super().__init__(
            StagedStore(output, state, options, copy)
            if is_remote(output)
            else InPlaceStore(Path(local_path(output)), state / "output.json", options),
            options,
        )

    def record(self, values: JSON) -> bytes:
        return encode_json(values) + b"\n"
