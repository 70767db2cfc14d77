"""Sources that leave some samples of another one out."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Iterator, Mapping

from cutline.interfaces import Source
from cutline.records import Problem, Sample
from cutline.sources.names import UniqueKeys
from cutline.sources.parts import RecordedKeys
from cutline.sources.wrapper import SourceWrapper


class UniqueUrls(SourceWrapper):
    """As ``source``, but a URL that came before is a skip."""

    def __init__(self, source: Source, taken: Mapping[str, int] | None = None) -> None:
        super().__init__(source)
        self._taken = taken or {}

    def samples(self) -> Iterator[Sample]:
        seen = UniqueKeys(self._taken)
        for sample in self.source.samples():
            url = _url_of(sample)
            if url is None or seen.is_new(url):
                yield sample
            else:
                repeat = Problem(kind="duplicate", message="the same URL came before", skip=True)
                yield dataclasses.replace(sample, location=None, problem=repeat)

    def shards(self, count: int) -> list[UniqueUrls]:
        """Reads all samples once, for the URLs that come again in another shard."""
        seen = RecordedKeys(self._taken)
        found = []
        for shard in self.source.shards(count):
            seen.begin_part()
            for sample in shard.samples():
                if (url := _url_of(sample)) is not None:
                    seen.is_new(url)
            found.append(UniqueUrls(shard, seen.taken))
        return found


def _url_of(sample: Sample) -> str | None:
    return sample.location.url() if sample.location else None


class HostShare(SourceWrapper):
    """The samples of ``source`` of which the key's hash modulo ``count`` is ``number``."""

    def __init__(self, source: Source, *, number: int, count: int) -> None:
        super().__init__(source)
        self._number = number
        self._count = count

    def samples(self) -> Iterator[Sample]:
        for sample in self.source.samples():
            if zlib.crc32(sample.key.encode(errors="surrogateescape")) % self._count == self._number:
                yield sample

    def shards(self, count: int) -> list[HostShare]:
        shards = self.source.shards(count)
        return [HostShare(shard, number=self._number, count=self._count) for shard in shards]

    def count(self) -> int | None:
        return None  # only reading everything would tell
