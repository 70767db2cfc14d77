"""One host's share of a source that several hosts read."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from cutline.interfaces import Source
from cutline.records import Sample


class SharedSource:
    """Every sample of ``source`` is in the share of exactly one ``number`` below ``count``.

    Who has it is decided by its key, so that it does not change when others come or go.
    """

    def __init__(self, source: Source, *, number: int, count: int) -> None:
        self._source = source
        self._number = number
        self._count = count

    def samples(self) -> Iterator[Sample]:
        for sample in self._source.samples():
            if zlib.crc32(sample.key.encode(errors="surrogateescape")) % self._count == self._number:
                yield sample

    def count(self) -> int | None:
        return None  # only reading everything would tell
