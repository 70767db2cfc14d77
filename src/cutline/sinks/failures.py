"""The failures file: what got no caption, and why."""

from __future__ import annotations

from pathlib import Path

from cutline.records import JSON, Failure, Outcome, Sample
from cutline.sinks.options import SinkOptions
from cutline.sinks.rows import encode, failure_row
from cutline.sinks.stores import GrowingStore


def failures_path(state: Path) -> Path:
    """``<output>.failures.jsonl`` for the state folder ``<output>.cutline``."""
    return state.with_name(state.name.removesuffix(".cutline") + ".failures.jsonl")


class FailuresSink:
    """One JSON line for each failure, beside the state folder; taken away at the end when empty."""

    needs_picture = False

    def __init__(self, state: Path, options: SinkOptions) -> None:
        self._store = GrowingStore(failures_path(state), state / "failures.json", options)

    def open(self, mark: JSON | None) -> None:
        self._store.open(mark)

    def write(self, sample: Sample, outcome: Outcome, picture: bytes | None = None) -> None:  # noqa: ARG002
        if isinstance(outcome, Failure):
            self._store.append(encode(failure_row(sample, outcome)) + b"\n")

    def commit(self) -> JSON:
        return self._store.commit()

    def finish(self) -> None:
        if self._store.records:
            self._store.finish()
        else:
            self._store.remove()

    def close(self) -> None:
        self._store.close()

    @property
    def outputs(self) -> list[Path | str]:
        return self._store.outputs if self._store.records else []
