"""How far a run is: counts that are added up, and frozen pictures of them for whoever draws them."""

from __future__ import annotations

import collections
import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from cutline.records import JSON, Caption, Failure, Outcome, Skip, Usage


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A moment of a run. ``eta`` in seconds, ``rate`` in pictures a second, ``cost`` in US dollars.

    Counts, tokens and cost are those of all runs for this output together.
    """

    total: int | None
    done: int
    captions: int
    skips: int
    failures: int
    resumed: int
    in_flight: int
    slots: int
    rate: float
    eta: float | None
    tokens: int
    cost: float | None
    seconds: float


ProgressHook: TypeAlias = Callable[[Progress], None]


@dataclasses.dataclass(slots=True, kw_only=True)
class Counts:
    """Outcomes by kind, and what they cost."""

    captions: int = 0
    skips: int = 0
    failures: int = 0
    kinds: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    reasons: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    usage: Usage = dataclasses.field(default_factory=Usage)

    @property
    def total(self) -> int:
        return self.captions + self.skips + self.failures

    def add(self, outcome: Outcome) -> None:
        self.usage += usage_of(outcome)
        if isinstance(outcome, Caption):
            self.captions += 1
        elif isinstance(outcome, Skip):
            self.skips += 1
            self.reasons[outcome.reason] += 1
        else:
            self.failures += 1
            self.kinds[outcome.kind] += 1

    def to_json(self) -> JSON:
        return {**dataclasses.asdict(self), "kinds": dict(self.kinds), "reasons": dict(self.reasons)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Counts:
        return cls(
            **{
                **data,
                "kinds": collections.Counter(data["kinds"]),
                "reasons": collections.Counter(data["reasons"]),
                "usage": Usage(**data["usage"]),
            }
        )


def usage_of(outcome: Outcome) -> Usage:
    """The tokens an outcome cost."""
    if isinstance(outcome, Caption):
        return outcome.usage
    if isinstance(outcome, Failure):
        return outcome.usage + sum((step.reply.usage for step in outcome.steps), Usage())
    return Usage()


class Rate:
    """Pictures per second over the last seconds of work."""

    def __init__(self, window: float = 15.0) -> None:
        self._window = window
        self._points: collections.deque[tuple[float, int]] = collections.deque([(time.monotonic(), 0)])

    def update(self, count: int) -> float:
        now = time.monotonic()
        self._points.append((now, count))
        while len(self._points) > 2 and now - self._points[0][0] > self._window:
            self._points.popleft()
        start, first = self._points[0]
        return (count - first) / (now - start) if now > start else 0.0
