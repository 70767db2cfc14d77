"""Consecutive parts of a source, each with the keys that a part before it has given already."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from cutline.sources.names import UniqueKeys

_S = TypeVar("_S")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Rows from ``start`` up to ``stop``; ``taken`` keys cannot be given again, see ``UniqueKeys``."""

    start: int = 0
    stop: int = sys.maxsize
    taken: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def length(self, total: int) -> int:
        """How many of ``total`` rows are in the part."""
        return max(0, min(total, self.stop) - self.start)

    def split(self, length: int, count: int, keys: Iterable[str | None]) -> Iterator[Part]:
        """At most ``count`` parts of the part's ``length`` rows.

        ``keys``: each row's key before ``UniqueKeys``; None for a row without one.
        """
        rows = iter(keys)
        recorded = RecordedKeys(self.taken)
        for start, stop in ranges(length, count):
            recorded.begin_part()
            for key in itertools.islice(rows, stop - start):
                if key is not None:
                    recorded.unique(key)
            yield Part(start=self.start + start, stop=self.start + stop, taken=dict(recorded.taken))


class RecordedKeys(UniqueKeys):
    """``taken``: keys of the current part that an earlier part has as well."""

    def __init__(self, taken: Mapping[str, int] | None = None) -> None:
        super().__init__(taken)
        self.begin_part()

    def begin_part(self) -> None:
        self.taken: dict[str, int] = {}
        self._own: set[int] = set()

    def is_new(self, key: str) -> bool:
        mark = hash(key)
        if super().is_new(key):
            self._own.add(mark)
            return True
        if mark not in self._own:
            self.taken.setdefault(key, self._repeats.get(mark, 1))
        return False


def changed(source: _S, **values: object) -> _S:
    """The source with other values of its own attributes."""
    other = copy.copy(source)
    vars(other).update(values)
    return other


def ranges(total: int, count: int) -> Iterator[tuple[int, int]]:
    """``total`` things as at most ``count`` ranges of nearly the same length, none empty but of nothing."""
    count = max(1, min(count, total))
    for number in range(count):
        yield total * number // count, total * (number + 1) // count
