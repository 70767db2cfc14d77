"""Plug-in sources that do not subclass ``Source``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cutline.interfaces import Source
from cutline.records import Sample


class ForeignSource(Source):
    """Forwards to ``source``, with the protocol's defaults for members that it lacks."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def samples(self) -> Iterator[Sample]:
        samples: Iterator[Sample] = self._source.samples()
        return samples

    def count(self) -> int | None:
        count: int | None = self._source.count()
        return count

    def shards(self, count: int) -> Sequence[Source]:
        if not hasattr(self._source, "shards"):
            return [self]
        return [ForeignSource(shard) for shard in self._source.shards(count)]

    @property
    def warnings(self) -> Sequence[str]:
        return tuple(getattr(self._source, "warnings", ()))
