"""Sources of rows, and their consecutive parts, each with the keys that an earlier part has given."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self, TypeVar

from cutline.errors import ConfigError
from cutline.interfaces import Source
from cutline.records import JSON, Location, Problem, Sample
from cutline.sources.names import UniqueKeys
from cutline.sources.options import SourceOptions

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


class RowSource(Source, ABC):
    """A source with a sample for each row of its part."""

    _part = Part()

    def __init__(self, path: str, options: SourceOptions | None = None) -> None:
        self._path = path
        self._options = options or SourceOptions()

    @classmethod
    def from_options(cls, path: str, options: SourceOptions) -> Self:
        return cls(path, options)

    def samples(self) -> Iterator[Sample]:
        """Raises SourceError when reading breaks off, ConfigError when there is no row."""
        keys = UniqueKeys(self._part.taken)
        empty = True
        for row in self._rows():
            empty = False
            yield from self._samples(keys, *row)
        if empty and not self._part.start:
            raise ConfigError(self._no_rows())

    @property
    def has_repeats(self) -> bool:
        return True

    @abstractmethod
    def _rows(self) -> Iterator[tuple[Any, ...]]:
        """The part's rows, as arguments of ``_sample``."""

    def _samples(self, keys: UniqueKeys, *row: Any) -> Iterator[Sample]:
        """The samples of a row, mostly one."""
        yield self._sample(keys, *row)

    @abstractmethod
    def _sample(self, keys: UniqueKeys, *row: Any) -> Sample: ...

    def _no_rows(self) -> str:
        return f"{self._path} holds no rows"


def sample_at(
    key: str, found: Location | Problem, text: str | None = None, metadata: JSON | None = None
) -> Sample:
    """The sample of a picture, or of the reason why there is none."""
    if isinstance(found, Problem):
        return Sample(key=key, location=None, text=text, metadata=metadata or {}, problem=found)
    return Sample(key=key, location=found, text=text, metadata=metadata or {})


def copy_with(source: _S, **values: object) -> _S:
    """The source with other values of its own attributes."""
    other = copy.copy(source)
    vars(other).update(values)
    return other


def ranges(total: int, count: int) -> Iterator[tuple[int, int]]:
    """``total`` things as at most ``count`` ranges of nearly the same length, none empty but of nothing."""
    count = max(1, min(count, total))
    for number in range(count):
        yield total * number // count, total * (number + 1) // count
