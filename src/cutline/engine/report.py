"""The result of a run: the summary, the exit code, and ``report.json``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path

from cutline.engine.failure_stats import Cause
from cutline.engine.kept_prompts import KeptPrompts
from cutline.engine.stats import Counts
from cutline.engine.totals import Totals
from cutline.errors import CutlineError
from cutline.formatting import without_signatures
from cutline.job import Job
from cutline.options import OnMissing
from cutline.records import JSON, LeftOver, Slowdown, Usage
from cutline.storage import is_url
from cutline.version import __version__

EXIT_OK = 0
EXIT_FAILURES = 1
EXIT_USAGE = 2
EXIT_STOPPED = 3
EXIT_BUG = 70
EXIT_INTERRUPTED = 130
_MISSING = ("no-image", "not-a-file")  # reasons of skips


class Interrupted(CutlineError):
    """A signal of the user or the system ended the run; ``signal`` is its number."""

    def __init__(self, signal: int) -> None:
        super().__init__("interrupted")
        self.signal = signal


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result of a run of ``job``.

    ``counts`` cover everything in the output, ``known`` also outcomes waiting in the journal, ``fresh`` only
    this run's outcomes. ``causes`` are those of the known failures by kind, the most common first; ``stages``
    has a line about each filter and check; ``failed_checks`` are those that failed captions, and whether each
    can repair some; ``same_again``: the captioner would write these again. ``first`` has the first keys and
    captions that this run wrote, ``failed`` the first hundred failures, and the first of every kind.

    ``changed`` pictures had changed since an earlier run; ``replaced`` ones, of which a few are named, were
    changed or deleted between being listed and being captioned. ``left_out`` earlier captions are of samples
    that the source no longer has, ``waiting`` outcomes are in the journal after a missing one.

    ``seconds`` is this run's time after loading the models, which took ``loading_seconds``; ``cost`` in US
    dollars is of all runs, None without known prices. ``warnings`` are lines about the input and the output,
    such as text files in another encoding; ``left_over`` are the ignored contents of the input, and
    ``on_missing`` decides whether they are an error. ``prompt_texts`` are the prompts by id, with their
    variables, of models that follow prompts. ``slowdown`` is the cost of refusals by endpoints. ``totals``
    are of this run, which ended at ``end``, ``all_totals`` of all runs.
    """

    job: Job
    output: str
    outputs: tuple[str, ...]
    state: str
    model: str
    prompts: tuple[str, ...]
    counts: Counts
    known: Counts
    fresh: Counts
    spent: Usage
    cost: float | None
    seconds: float
    loading_seconds: float
    requests_resumed: int
    stopped: CutlineError | None = None
    allow_failures: int = 0
    first: tuple[tuple[str, str], ...] = ()
    failed: tuple[JSON, ...] = ()
    causes: Mapping[str, tuple[Cause, ...]] = dataclasses.field(default_factory=dict)
    stages: Mapping[str, str] = dataclasses.field(default_factory=dict)
    failed_checks: Mapping[str, bool] = dataclasses.field(default_factory=dict)
    same_again: bool = False
    changed: int = 0
    replaced: int = 0
    unchecked: int = 0
    first_replaced: tuple[str, ...] = ()
    left_out: int = 0
    kept_prompts: KeptPrompts = dataclasses.field(default_factory=KeptPrompts)
    waiting: int = 0
    warnings: tuple[str, ...] = ()
    left_over: tuple[LeftOver, ...] = ()
    on_missing: OnMissing = "warn"
    prompt_texts: Mapping[str, JSON] = dataclasses.field(default_factory=dict)
    slowdown: Slowdown = dataclasses.field(default_factory=Slowdown)
    end: str = ""
    totals: Totals = dataclasses.field(default_factory=Totals)
    all_totals: Totals = dataclasses.field(default_factory=Totals)

    @property
    def exit_code(self) -> int:
        """0 when nothing failed beyond what is allowed; see docs/cli.md for the others."""
        if isinstance(self.stopped, Interrupted):
            return 128 + self.stopped.signal
        if self.stopped is not None:
            return EXIT_STOPPED
        failed = self.counts.failures > self.allow_failures
        return EXIT_FAILURES if failed or self.missing_counts else EXIT_OK

    @property
    def missing(self) -> int:
        """Rows and samples without a picture."""
        return sum(self.counts.reasons[reason] for reason in _MISSING)

    @property
    def missing_counts(self) -> bool:
        """Whether, by ``on_missing``, what has no picture or is left over makes the run fail."""
        if self.on_missing == "fail":
            return bool(self.missing or self.left_over)
        return self.on_missing == "warn" and 0 < self.missing == self.counts.total

    def to_json(self) -> JSON:
        return {
            "version": __version__,
            "start": self.totals.start,
            "end": self.end,
            "output": self.output,
            "outputs": list(self.outputs),
            "model": self.model,
            "prompts": list(self.prompts),
            "prompt_texts": dict(self.prompt_texts),
            "captions_without": dict(self.kept_prompts.lacking),
            "complete": self.stopped is None,
            "stopped": without_signatures(str(self.stopped)) if self.stopped else None,
            "exit_code": self.exit_code,
            "captions": self.counts.captions,
            "skips": self.counts.skips,
            "failures": self.counts.failures,
            "captions_shortened": self.counts.shortened,
            "sentences_dropped": self.counts.dropped,
            "failure_kinds": dict(self.counts.kinds),
            "skip_reasons": dict(self.counts.reasons),
            "stages": {name: dict(counts) for name, counts in self.counts.stages.items()},
            "missing_steps": self.counts.missing_steps,
            "changed_since_earlier": self.changed,
            "changed_meanwhile": self.replaced,
            "unchecked": self.unchecked,
            "warnings": list(map(without_signatures, self.warnings)),
            "left_over": {each.kind: each.to_json() for each in self.left_over},
            "prompt_tokens": self.spent.prompt_tokens,
            "completion_tokens": self.spent.completion_tokens,
            "cost_usd": self.cost,
            "this_run": self._this_run(),
            "all_runs": {
                "runs": self.all_totals.runs,
                "start": self.all_totals.start,
                **self.all_totals.summary(),
            },
        }

    def _this_run(self) -> JSON:
        return {
            "captions": self.fresh.captions,
            "failures": self.fresh.failures,
            "seconds": round(self.seconds, 3),
            "loading_seconds": round(self.loading_seconds, 3),
            "resumed": self.requests_resumed,
            "refused": dict(self.slowdown.times),
            "held_back_seconds": round(self.slowdown.seconds, 3),
            **self.totals.summary(),
        }


def places(outputs: Iterable[Path | str]) -> tuple[str, ...]:
    """The outputs that are there, as absolute paths or URLs; a pattern stands for several files."""
    named = map(absolute, outputs)
    return tuple(path for path in named if is_url(path) or "*" in path or Path(path).exists())


def absolute(path: Path | str) -> str:
    """A local path as an absolute one; a URL as it is."""
    return str(path) if is_url(str(path)) else str(Path(path).absolute())
