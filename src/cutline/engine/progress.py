"""How far a run is: counts that are added up, and frozen pictures of them for whoever draws them."""

from __future__ import annotations

import collections
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from cutline.records import JSON, Caption, Failure, Outcome, Skip, Usage


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A moment of a run. ``eta`` in seconds, ``rate`` in pictures a second, ``cost`` in US dollars.

    Counts, tokens and cost are those of all runs for this output together. ``in_flight`` pictures are
    with the model, ``loading`` are being downloaded. ``waiting_for`` says what
    must be there before the first picture can be asked about, such as a model that is being loaded.
    """

    total: int | None = None
    done: int = 0
    captions: int = 0
    skips: int = 0
    failures: int = 0
    resumed: int = 0
    in_flight: int = 0
    loading: int = 0
    slots: int = 0
    rate: float = 0.0
    eta: float | None = None
    tokens: int = 0
    cost: float | None = None
    seconds: float = 0.0
    waiting_for: str = ""


ProgressHook: TypeAlias = Callable[[Progress], None]


@dataclasses.dataclass(slots=True, kw_only=True)
class Counts:
    """Outcomes by kind, and what they cost; ``missing``: captions without an optional step, by its
    name and the kind of its failure. Checks took ``dropped`` sentences away from ``shortened`` captions.
    ``stages`` counts by stage what its skips and notes say; see ``Stage.summary``.
    """

    captions: int = 0
    skips: int = 0
    failures: int = 0
    kinds: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    reasons: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    missing: collections.Counter[tuple[str, str]] = dataclasses.field(default_factory=collections.Counter)
    usage: Usage = dataclasses.field(default_factory=Usage)
    dropped: int = 0
    shortened: int = 0
    stages: dict[str, collections.Counter[str]] = dataclasses.field(default_factory=dict)

    @property
    def total(self) -> int:
        return self.captions + self.skips + self.failures

    @property
    def journalled(self) -> int:
        """Outcomes that the journal has: all but skips by policy."""
        skips = sum(counts["skipped"] for counts in self.stages.values())
        return self.captions + self.failures + skips

    def add(self, outcome: Outcome) -> None:
        self.usage += usage_of(outcome)
        if isinstance(outcome, Caption):
            self.captions += 1
            dropped = _dropped(outcome)
            self.dropped += dropped
            self.shortened += bool(dropped)
            self.missing.update(outcome.missing_steps.items())
            for name, note in (outcome.checks or {}).items():
                self._add_note(name, note)
        elif isinstance(outcome, Skip):
            self.skips += 1
            self.reasons[outcome.reason] += 1
            if outcome.stage:
                self._of_stage(outcome.stage.partition(" ")[0])["skipped"] += 1
        else:
            self.failures += 1
            self.kinds[outcome.kind] += 1

    def _add_note(self, name: str, note: Mapping[str, Any]) -> None:
        counts = self._of_stage(name)
        for key, value in note.items():
            if isinstance(value, list) and value:
                counts[key] += len(value)
                counts[f"{key} captions"] += 1

    def _of_stage(self, name: str) -> collections.Counter[str]:
        return self.stages.setdefault(name, collections.Counter())

    @property
    def missing_steps(self) -> dict[str, dict[str, int]]:
        """``missing`` as a table: how often each optional step failed in which way."""
        table: dict[str, dict[str, int]] = {}
        for (name, kind), count in self.missing.items():
            table.setdefault(name, {})[kind] = count
        return table

    def to_json(self) -> JSON:
        counters: JSON = {name: dict(getattr(self, name)) for name in _COUNTERS}
        counters["stages"] = {name: dict(counts) for name, counts in self.stages.items()}
        return {**dataclasses.asdict(self), **counters, "missing": self.missing_steps}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Counts:
        counters: dict[str, Any] = {name: collections.Counter(data.get(name, {})) for name in _COUNTERS}
        table = data.get("missing", {})
        missing = {(name, kind): count for name, kinds in table.items() for kind, count in kinds.items()}
        counters["missing"] = collections.Counter(missing)
        stages = data.get("stages", {})
        counters["stages"] = {name: collections.Counter(counts) for name, counts in stages.items()}
        return cls(**{**data, **counters, "usage": Usage(**data["usage"])})


_COUNTERS = ("kinds", "reasons")


def usages_of(outcome: Outcome) -> Iterator[tuple[str, Usage]]:
    """The tokens an outcome cost, by step, but for the steps that were counted before."""
    if isinstance(outcome, Caption | Failure | Skip):
        for step in outcome.steps:
            if not step.counted:
                yield step.name, step.reply.usage
        yield from outcome.useless.items()


def _dropped(outcome: Caption) -> int:
    """How many sentences checks took from the caption."""
    return sum(len(note.get("dropped", ())) for note in (outcome.checks or {}).values())


def usage_of(outcome: Outcome) -> Usage:
    """The same of all steps together."""
    return sum((usage for _, usage in usages_of(outcome)), Usage())


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
