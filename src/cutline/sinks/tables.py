"""What the sinks of rows share: captions become encoded rows in a store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from cutline.interfaces import Sink
from cutline.records import JSON, Caption, Outcome, Sample
from cutline.sinks.row_stores import Store
from cutline.sinks.rows import row


class RowSink(Sink, ABC):
    """A sink with one record for each caption; ``record`` is what the formats differ in."""

    def __init__(self, store: Store, *, include_raw: bool, include_checks: bool = False) -> None:
        self._store = store
        self._include = {"include_raw": include_raw, "include_checks": include_checks}

    @abstractmethod
    def record(self, values: JSON) -> bytes:
        """One row as the store keeps it."""

    def check_open(self, mark: JSON | None) -> None:
        self._store.check_open(mark)

    def open(self, mark: JSON | None) -> None:
        self._store.open(mark)

    def write(self, sample: Sample, outcome: Outcome, picture: bytes | None) -> None:  # noqa: ARG002
        if isinstance(outcome, Caption):
            self._store.append(self.record(row(sample, outcome, **self._include)))

    def commit(self) -> JSON:
        return self._store.commit()

    def finish(self) -> None:
        self._store.finish()

    def close(self) -> None:
        self._store.close()

    @property
    def outputs(self) -> list[Path | str]:
        return self._store.outputs
