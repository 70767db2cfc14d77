"""The counts of a run's outcomes; progress, budget and report read them."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cutline.engine.failure_stats import FailureStats
from cutline.engine.prices import Spending
from cutline.engine.totals import Latencies
from cutline.errors import ManyFailed
from cutline.records import JSON, Caption, Failure, Outcome, Sample, Skip, Step, Usage

MAX_REPLACED = 3  # replaced pictures that are named
_NO_VARIABLE = "prompt-variable"  # such failures are before the request, and as many as the pictures


@dataclasses.dataclass(slots=True, kw_only=True)
class Counts:
    """Outcomes by kind, and their usage. ``missing``: captions without an optional step, by its name and
    the kind of its failure. Checks removed ``dropped`` sentences from ``shortened`` captions. ``stages``:
    the skips and notes of each stage; see ``Stage.summary``.
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

    def add(self, outcome: Outcome) -> None:
        self.usage += usage_of(outcome)
        if isinstance(outcome, Caption):
            self.captions += 1
            self.missing.update(outcome.missing_steps.items())
            dropped = 0
            for name, note in (outcome.checks or {}).items():
                dropped += len(note.get("dropped", ()))
                self._add_note(name, note)
            self.dropped += dropped
            self.shortened += bool(dropped)
        elif isinstance(outcome, Skip):
            self.skips += 1
            self.reasons[outcome.rule or outcome.reason] += 1
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

    def __add__(self, other: Counts) -> Counts:
        names = {*self.stages, *other.stages}
        stages = {name: self.stages.get(name, _NONE) + other.stages.get(name, _NONE) for name in names}
        sums = {name: getattr(self, name) + getattr(other, name) for name in _SUMMED}
        return Counts(**sums, stages=stages)

    @property
    def missing_steps(self) -> dict[str, dict[str, int]]:
        """``missing`` as a table: the failures of each optional step by kind."""
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
_SUMMED = tuple(field.name for field in dataclasses.fields(Counts) if field.name != "stages")
_NONE: collections.Counter[str] = collections.Counter()


def usages_of(outcome: Outcome) -> Iterator[tuple[str, Usage]]:
    """The tokens of an outcome by step, without the steps that were counted before."""
    for step in outcome.steps:
        if not step.counted:
            yield step.name, step.reply.usage
    yield from outcome.useless.items()


def usage_of(outcome: Outcome) -> Usage:
    """The tokens of all its steps."""
    return Usage.sum([usage for _, usage in usages_of(outcome)])


@dataclasses.dataclass(slots=True, kw_only=True)
class RunStats:
    """The sums of one run.

    ``before``: outcomes in the output when the run began; ``resumed``: from the journal; ``fresh``: of this
    run; ``causes``: of all of them. ``spent``, and ``paid`` outcomes, include earlier runs. ``models``: the
    captioners' names by step. ``changed`` pictures differ from an earlier run's; ``replaced`` ones were
    changed or deleted during this run; of ``unchecked`` ones a server did not say whether they have changed.
    ``latencies`` are of this run's requests.
    """

    before: Counts = dataclasses.field(default_factory=Counts)
    resumed: Counts = dataclasses.field(default_factory=Counts)
    fresh: Counts = dataclasses.field(default_factory=Counts)
    causes: FailureStats = dataclasses.field(default_factory=FailureStats)
    spent: Spending = dataclasses.field(default_factory=Spending)
    paid: int = 0
    models: Mapping[str, str] = dataclasses.field(default_factory=dict)
    changed: int = 0
    replaced: int = 0
    unchecked: int = 0
    first_replaced: list[str] = dataclasses.field(default_factory=list)
    failed_in_a_row: int = 0
    last_failure: Failure | None = None
    captions_without_usage: int = 0
    latencies: Latencies = dataclasses.field(default_factory=Latencies)

    @property
    def known(self) -> Counts:
        """Everything that the output has or will have."""
        return self.before + self.resumed + self.fresh

    def add_step(self, step: Step) -> None:
        """Count the tokens of a step that finished before its sample did."""
        self._add_latency(step)
        self.fresh.usage += step.reply.usage
        self.spent.add(self.models[step.name], step.reply.usage)

    def add_usage(self, outcome: Outcome) -> None:
        """Count what a new outcome cost, as soon as that is known."""
        usages = list(usages_of(outcome))
        for name, usage in usages:
            self.spent.add(self.models[name], usage)
        for step in outcome.steps:
            if not step.counted:
                self._add_latency(step)
        paid = any(usage.total for _, usage in usages)
        self.paid += paid
        free = all(step.counted for step in outcome.steps)
        self.captions_without_usage += not paid and not free and isinstance(outcome, Caption)

    def _add_latency(self, step: Step) -> None:
        if step.reply.seconds > 0:  # of a batch nothing is known
            self.latencies.add(step.reply.seconds)

    def add(self, sample: Sample, outcome: Outcome, *, fresh: bool) -> None:
        """Count an outcome of this run, or of an earlier one."""
        (self.fresh if fresh else self.resumed).add(outcome)
        if isinstance(outcome, Failure):
            self.causes.add(outcome, sample.path)
        if fresh and isinstance(outcome, Caption):
            self.failed_in_a_row = 0
        elif fresh and isinstance(outcome, Failure) and (outcome.attempts or outcome.kind == _NO_VARIABLE):
            self.failed_in_a_row += 1
            self.last_failure = outcome

    def many_failed(self, most: int) -> ManyFailed | None:
        """Why a run ends in which so many pictures in a row failed; None for fewer than ``most``, or 0."""
        last = self.last_failure
        if last is None or not 0 < most <= self.failed_in_a_row:
            return None
        if last.kind == _NO_VARIABLE:
            return ManyFailed(
                f"{self.failed_in_a_row} pictures in a row failed, the last with: {last.message}; "
                "correct the prompt and run again with --on-change redo-failed"
            )
        return ManyFailed(
            f"{self.failed_in_a_row} pictures in a row failed at the model, the last with: "
            f"{last.message}; fix this and run the same command with --retry-failed"
        )

    def add_unwritten(self, lost: Iterable[tuple[Sample, Skip | Failure]]) -> None:
        """Count outcomes in place of the captions that they were until these could not be written."""
        for sample, outcome in lost:
            counts = self.fresh if self.fresh.captions else self.resumed
            counts.captions -= 1
            counts.usage -= usage_of(outcome)
            counts.add(outcome)
            if isinstance(outcome, Failure):
                self.causes.add(outcome, sample.path)

    def add_replaced(self, *keys: str, count: int = 1) -> None:
        """Count pictures that were replaced during the run, of which ``keys`` are some."""
        self.replaced += count
        self.first_replaced += keys[: MAX_REPLACED - len(self.first_replaced)]
