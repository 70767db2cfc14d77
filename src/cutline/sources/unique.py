"""A source of which each URL is taken once, over all of its tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from cutline.interfaces import Source
from cutline.records import Problem, Sample
from cutline.sources.names import UniqueKeys


class UniqueUrls:
    """As ``source``, but a URL that came before is a skip."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def samples(self) -> Iterator[Sample]:
        seen = UniqueKeys()
        for sample in self._source.samples():
            url = getattr(sample.location, "url", None)
            if url is None or seen.is_new(url):
                yield sample
            else:
                repeat = Problem(kind="duplicate", message="the same URL came before", skip=True)
                yield dataclasses.replace(sample, location=None, problem=repeat)

    def count(self) -> int | None:
        return self._source.count()
