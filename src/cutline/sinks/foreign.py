"""Plug-in sinks that do not subclass ``Sink``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cutline.interfaces import Sink
from cutline.records import JSON, Outcome, Sample


class ForeignSink(Sink):
    """Forwards to ``sink``, with the protocol's defaults for members that it lacks."""

    def __init__(self, sink: Any) -> None:
        self._sink = sink
        self.needs_picture = bool(getattr(sink, "needs_picture", False))
        self.resumable = bool(getattr(sink, "resumable", True))
        self.keeps_captions = bool(getattr(sink, "keeps_captions", False))

    def check_open(self, mark: JSON | None) -> None:
        getattr(self._sink, "check_open", self._sink.open)(mark)

    def open(self, mark: JSON | None) -> None:
        self._sink.open(mark)

    def existing_text(self, sample: Sample) -> str | None:
        own = getattr(self._sink, "existing_text", None)
        return own(sample) if own is not None else sample.text

    def write(self, sample: Sample, outcome: Outcome, picture: bytes | None) -> None:
        self._sink.write(sample, outcome, picture)

    def commit(self) -> JSON:
        mark: JSON = self._sink.commit()
        return mark

    def finish(self) -> None:
        self._sink.finish()

    def close(self) -> None:
        self._sink.close()

    @property
    def outputs(self) -> list[Path | str]:
        return list(self._sink.outputs)

    @property
    def warnings(self) -> Sequence[str]:
        return tuple(getattr(self._sink, "warnings", ()))
