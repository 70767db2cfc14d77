"""A source around a source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cutline.interfaces import Source
from cutline.records import LeftOver, Sample


class SourceWrapper(Source):
    """As ``source``, except for what a subclass overrides: ``samples``, and with it ``shards``."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def samples(self) -> Iterator[Sample]:
        return self.source.samples()

    def count(self) -> int | None:
        return self.source.count()

    @property
    def has_repeats(self) -> bool:
        return self.source.has_repeats

    @property
    def warnings(self) -> Sequence[str]:
        return self.source.warnings

    @property
    def left_over(self) -> Sequence[LeftOver]:
        return self.source.left_over

    @property
    def column_types(self) -> Mapping[str, Any]:
        return self.source.column_types


def unwrapped(source: Source) -> Source:
    """The source within all wrappers."""
    while isinstance(source, SourceWrapper):
        source = source.source
    return source
