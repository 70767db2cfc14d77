"""The failures file: samples without a caption, and the reasons."""

from __future__ import annotations

from pathlib import Path

from cutline.records import JSON, Failure, Outcome, Sample
from cutline.serialization import encode_json
from cutline.sinks.options import SinkOptions
from cutline.sinks.row_stores import ListStore
from cutline.sinks.rows import RowSink, failure_row


class FailuresSink(RowSink):
    """One JSON line for each failure; without failures there is no file.

    A file that this run did not open is left as it is: it is another run's.
    """

    _store: ListStore

    def __init__(self, path: Path, state: Path, options: SinkOptions) -> None:
        super().__init__(ListStore(path, state / "failures.json", options), options)
        self._path = path
        self._is_open = False

    def open(self, mark: JSON | None) -> None:
        if mark is not None and not mark["records"] and not self._path.exists():
            mark = None  # ``finish`` has removed an empty file
        self._store.open(mark)
        self._is_open = True

    def record(self, values: JSON) -> bytes:
        return encode_json(values) + b"\n"

    def write(self, sample: Sample, outcome: Outcome, picture: bytes | None = None) -> None:  # noqa: ARG002
        if isinstance(outcome, Failure):
            self._store.append(self.record(failure_row(sample, outcome)))

    def finish(self) -> None:
        if self._store.records:
            self._store.finish()
        else:
            self._store.remove()
        self._is_open = False

    def close(self) -> None:
        if not self._is_open:
            return
        if self._store.records:
            self._store.close()
        else:
            self._store.remove()
        self._is_open = False

    @property
    def outputs(self) -> list[Path | str]:
        return self._store.outputs if self._store.records else []
