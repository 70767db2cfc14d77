"""The list of pictures that a rule, filter or check skipped, with what was measured of them."""

from __future__ import annotations

from pathlib import Path

from cutline.files import write_errors
from cutline.interfaces import Sink
from cutline.records import JSON, Outcome, Sample, Skip
from cutline.serialization import encode_json
from cutline.sinks.options import SinkOptions
from cutline.sinks.row_stores import ListStore
from cutline.sinks.rows import rejection_row


class RejectionsSink(Sink):
    """One JSON line for each; the file is begun with the first, as most runs reject nothing."""

    def __init__(self, path: Path, state: Path, options: SinkOptions) -> None:
        self._store = ListStore(path, state / "rejected.json", options)
        self._path = path
        self._is_open = False

    def check_open(self, mark: JSON | None) -> None:
        self._store.check_open(mark)

    def open(self, mark: JSON | None) -> None:
        self.check_open(mark)
        if mark is not None and mark["records"]:
            self._open(mark)
        else:
            with write_errors(self._path):
                self._path.unlink(missing_ok=True)

    def _open(self, mark: JSON | None) -> None:
        self._store.open(mark)
        self._is_open = True

    def write(self, sample: Sample, outcome: Outcome, picture: bytes | None = None) -> None:  # noqa: ARG002
        if isinstance(outcome, Skip) and (outcome.rule or outcome.stage):
            if not self._is_open:
                self._open(None)
            self._store.append(encode_json(rejection_row(sample, outcome)) + b"\n")

    def commit(self) -> JSON:
        return self._store.commit() if self._is_open else {"size": 0, "records": 0, "tail": 0}

    def finish(self) -> None:
        if self._is_open:
            self._store.finish()
        self._is_open = False

    def close(self) -> None:
        if self._is_open:
            self._store.close()
        self._is_open = False

    @property
    def outputs(self) -> list[Path | str]:
        return self._store.outputs if self._store.records else []
