"""The measures of a caption, and the distribution of their values over all captions."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterator, Mapping
from typing import Any, Final

from cutline.records import Caption
from cutline.text.differences import words

KEPT: Final = 20_000
"""Maximum number of values kept of a measure; of more, a random sample."""
ENDS: Final = 6
"""Number of pictures shown with the smallest and with the largest values."""
_LISTS: Final = frozenset({"retried", "repaired", "noted", "fields"})  # of reasons, not of measures


def measures_of(caption: Caption) -> Iterator[tuple[str, float]]:
    """Words, seconds, tokens and attempts of a caption, and the numbers in the notes of its checks."""
    yield "words", float(len(words(caption.text)))
    if seconds := sum(step.reply.seconds for step in caption.steps):
        yield "seconds", seconds
    if tokens := caption.usage.completion_tokens:
        yield "tokens of the reply", float(tokens)
    yield "attempts", float(sum(step.reply.attempts for step in caption.steps))
    for name, note in (caption.checks or {}).items():
        if isinstance(note, Mapping):
            yield from _numbers(name, note)


def _numbers(check: str, note: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in note.items():
        if name in _LISTS or (check, name) == ("words", "words"):
            continue
        values = value if isinstance(value, list) else [value]
        numbers = [one for one in values if isinstance(one, int | float) and not isinstance(one, bool)]
        if numbers and len(numbers) == len(values) and all(map(math.isfinite, numbers)):
            mean = ", mean" if isinstance(value, list) and len(value) > 1 else ""
            yield f"{check}: {name}{mean}" if mean else f"{check}: {name}", sum(numbers) / len(numbers)


class Distribution:
    """The values of one measure: ``KEPT`` of them, and the ends with their pictures.

    The same values in the same order give the same sample. ``entry`` identifies a picture.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.count = 0
        self.smallest, self.largest = math.inf, -math.inf
        self._sum = 0.0
        self._kept: list[float] = []
        self._random = random.Random(name)  # noqa: S311 - a sample, no secret
        self._low: list[tuple[float, int, Any]] = []
        self._high: list[tuple[float, int, Any]] = []

    def add(self, value: float, entry: Any) -> None:
        self.count += 1
        self._sum += value
        self.smallest, self.largest = min(self.smallest, value), max(self.largest, value)
        if len(self._kept) < KEPT:
            self._kept.append(value)
        elif (place := self._random.randrange(self.count)) < KEPT:
            self._kept[place] = value
        for heap, rank in ((self._low, -value), (self._high, value)):
            item = (rank, -self.count, entry)  # of equal values the first is shown
            if len(heap) < ENDS:
                heapq.heappush(heap, item)
            elif item[:2] > heap[0][:2]:
                heapq.heapreplace(heap, item)

    @property
    def sample(self) -> list[float]:
        """The sampled values."""
        return self._kept

    @property
    def mean(self) -> float:
        return self._sum / self.count if self.count else 0.0

    @property
    def is_constant(self) -> bool:
        return self.smallest == self.largest

    def percentile(self, share: float) -> float:
        """The quantile of a share of the captions."""
        ordered = sorted(self._kept)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]

    @property
    def lowest(self) -> list[tuple[float, Any]]:
        """The smallest values, each with its picture; the smallest first."""
        return [
            (-rank, entry) for rank, _, entry in sorted(self._low, key=lambda item: item[:2], reverse=True)
        ]

    @property
    def highest(self) -> list[tuple[float, Any]]:
        return [
            (rank, entry) for rank, _, entry in sorted(self._high, key=lambda item: item[:2], reverse=True)
        ]
