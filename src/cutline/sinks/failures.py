"""The failures file: what got no caption, and why."""

from __future__ import annotations

from pathlib import Path

from cutline.interfaces import Sink
from cutline.records import JSON, Failure, Outcome, Sample
from cutline.serialization import encode_json
from cutline.sinks.options import SinkOptions
from cutline.sinks.row_stores import InPlaceStore
from cutline.sinks.rows import failure_row


class FailuresSink(Sink):
    """One JSON line for each failure; the file is there only while there are any."""

    def __init__(self, path: Path, state: Path, options: SinkOptions) -> None:
        self._path = path
        self._store = InPlaceStore(path, state / "failures.json", options)

    def open(self, mark: JSON | None) -> None:
        if mark is not None and not mark["records"] and not self._path.exists():
            mark = None  # an empty file was taken away
        self._store.open(mark)

    def write(self, sample: Sample, outcome: Outcome, picture: bytes | None = None) -> None:  # noqa: ARG002
        if isinstance(outcome, Failure):
            self._store.append(encode_json(failure_row(sample, outcome)) + b"\n")

    def commit(self) -> JSON:
        return self._store.commit()

    def finish(self) -> None:
        if self._store.records:
            self._store.finish()
        else:
            self._store.remove()

    def close(self) -> None:
        if self._store.records:
            self._store.close()
        else:
            self._store.remove()

    @property
    def outputs(self) -> list[Path | str]:
        return self._store.outputs if self._store.records else []
