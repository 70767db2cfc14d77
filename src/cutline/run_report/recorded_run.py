"""Read a run from its state folder: the report, and every outcome in the journal."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from cutline.engine.failure_stats import Cause, FailureStats, message_of
from cutline.engine.journal import Journal
from cutline.engine.state import failures_file, state_folder
from cutline.engine.stats import Counts
from cutline.errors import ConfigError
from cutline.formatting import number, stored_key
from cutline.records import JSON, Caption, Failure, Outcome, Skip, Usage
from cutline.run_report.measures import Distribution, measures_of
from cutline.run_report.recorded_pictures import measured_pictures, rejected_pictures
from cutline.run_report.report_values import counts
from cutline.run_report.scores import Scores
from cutline.serialization import read_object
from cutline.sources.outputs import rejected_list
from cutline.storage import is_remote

SAMPLES: Final = 24
_OF_A_KIND: Final = 6  # pictures that failed, or were skipped, for one reason
_CAUSES: Final = 3
_KINDS: Final = 40
_MEASURES: Final = 48
_EACH: Final = 1000  # outcomes between two calls of progress
_LONGEST: Final = 1500  # characters of a caption that are kept


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A picture of the page, with its caption or the reason why it has none."""

    key: str
    text: str = ""
    detail: str = ""


@dataclasses.dataclass(slots=True, kw_only=True)
class Group:
    """The failures of a kind, the skips for a reason, or what a check noted, with some pictures."""

    name: str
    count: int = 0
    causes: FailureStats = dataclasses.field(default_factory=FailureStats)
    pictures: list[Shown] = dataclasses.field(default_factory=list)

    @property
    def commonest(self) -> list[Cause]:
        causes = [cause for each in self.causes.by_kind().values() for cause in each]
        return sorted(causes, key=lambda cause: -cause.count)[:_CAUSES]


@dataclasses.dataclass(slots=True, kw_only=True)
class RecordedRun:
    """The result of ``read_run``; ``report`` is the run's report.json, empty if it did not end.

    ``settings`` is the fingerprint of the last run, ``spent`` the tokens by model. ``failures_file`` lists
    the failures, and is empty if it does not exist; ``rejected_file`` lists the rejected pictures. ``scores``
    come from elsewhere, for ``scored`` of the captions.
    """

    output: str
    folder: Path
    rejected_file: Path
    report: JSON
    settings: JSON
    scores: Scores = dataclasses.field(default_factory=dict)
    spent: dict[str, Usage]
    damaged: int = 0
    failures_file: str = ""
    scored: int = 0
    counts: Counts = dataclasses.field(default_factory=Counts)
    distributions: dict[str, Distribution] = dataclasses.field(default_factory=dict)
    left_out_measures: set[str] = dataclasses.field(default_factory=set)
    failures: dict[str, Group] = dataclasses.field(default_factory=dict)
    skips: dict[str, Group] = dataclasses.field(default_factory=dict)
    noted: dict[str, Group] = dataclasses.field(default_factory=dict)
    samples: list[Shown] = dataclasses.field(default_factory=list)

    def add_rules(self) -> None:
        """Add the measures of the pictures and the skips by rules, which are not in the journal."""
        journalled = {*self.skips}
        for reason, count in counts(self.report.get("skip_reasons")).items():
            if reason not in self.skips and len(self.skips) < _KINDS:
                self.skips[reason] = Group(name=reason, count=count)
                self.counts.skips += count
        for key, values in measured_pictures(self.folder):
            for name, value in values.items():
                self._distribution(f"picture: {name}", value, Shown(key=key))
        counted = {*self.skips}
        for key, rule, reason in rejected_pictures(self.rejected_file):
            if rule in journalled or (rule not in self.skips and len(self.skips) >= _KINDS):
                continue
            group = self.skips.setdefault(rule, Group(name=rule))
            if rule not in counted:  # the run has not ended
                group.count += 1
                self.counts.skips += 1
            if len(group.pictures) < _OF_A_KIND:
                group.pictures.append(Shown(key=key, detail=reason))

    @property
    def keys(self) -> set[str]:
        """The pictures that the page shows."""
        groups = (*self.failures.values(), *self.skips.values(), *self.noted.values())
        found = {shown.key for group in groups for shown in group.pictures}
        found |= {shown.key for shown in self.samples}
        for each in self.distributions.values():
            found |= {shown.key for _, shown in (*each.lowest, *each.highest)}
        return found

    def add(self, outcome: Outcome, chance: random.Random) -> None:
        self.counts.add(outcome)
        if isinstance(outcome, Caption):
            shown = Shown(key=stored_key(outcome.key), text=outcome.text[:_LONGEST])
            self._add_sample(shown, chance)
            scores = self.scores.get(shown.key, {})
            self.scored += bool(scores)
            for name, value in (*scores.items(), *measures_of(outcome)):
                self._distribution(name, value, shown)
            for check, note in (outcome.checks or {}).items():
                for reason in note.get("noted", ()) if isinstance(note, dict) else ():
                    _add(self.noted, f"{check}: {reason}", shown)
        elif isinstance(outcome, Failure):
            text = outcome.reply.text[:_LONGEST] if outcome.reply else ""
            text = text or next((step.text[:_LONGEST] for step in reversed(outcome.steps) if step.text), "")
            shown = Shown(key=stored_key(outcome.key), text=text, detail=message_of(outcome))
            _add(self.failures, outcome.kind, shown, outcome)
        else:
            text = next((step.text[:_LONGEST] for step in reversed(outcome.steps) if step.text), "")
            shown = Shown(key=stored_key(outcome.key), text=text, detail=_value(outcome))
            _add(self.skips, outcome.rule or outcome.reason, shown)

    def _add_sample(self, shown: Shown, chance: random.Random) -> None:
        if len(self.samples) < SAMPLES:
            self.samples.append(shown)
        elif (place := chance.randrange(self.counts.captions)) < SAMPLES:
            self.samples[place] = shown

    def _distribution(self, name: str, value: float, shown: Shown) -> None:
        if name not in self.distributions:
            if len(self.distributions) >= _MEASURES:
                self.left_out_measures.add(name)
                return
            self.distributions[name] = Distribution(name)
        self.distributions[name].add(value, shown)


def _add(groups: dict[str, Group], name: str, shown: Shown, failure: Failure | None = None) -> None:
    if name not in groups and len(groups) >= _KINDS:
        name = "others"
    group = groups.setdefault(name, Group(name=name))
    group.count += 1
    if failure is not None:
        group.causes.add(failure)
    if len(group.pictures) < _OF_A_KIND:
        group.pictures.append(shown)


def _value(skip: Skip) -> str:
    """The measured values in a few words."""
    return ", ".join(f"{name} {_short(value)}" for name, value in (skip.value or {}).items())


def _short(value: Any) -> str:
    return number(value) if isinstance(value, float) else str(value)[:80]


def has_run(output: str, state: str | None = None) -> bool:
    """Whether this output has a run's journal."""
    folder = journal_folder(output, state)
    return folder is not None and (folder / "journal.jsonl").is_file()


def journal_folder(output: str, state: str | None = None) -> Path | None:
    """The journal of the run that wrote this output; None if it cannot have one."""
    try:
        return state_folder(output, state)
    except ConfigError:
        return None


def read_run(
    output: str,
    state: str | None = None,
    *,
    scores: Scores | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> RecordedRun:
    """Read the run that wrote or is writing ``output``, without changing anything.

    Memory grows by about 100 bytes for each outcome. ``progress`` is called with the numbers of read and of
    all outcomes.

    Raises:
        ConfigError: there is no journal.
        SourceError: it cannot be read.
    """
    folder = state_folder(output, state)
    if not (folder / "journal.jsonl").is_file():
        cure = "give --state, or --about dataset for its captions"
        if state is not None:
            cure = "give the folder that the run was given as --state, or --about dataset for its captions"
        if is_remote(output):
            cure = "report where it was written, or give --state a copy of its state folder"
        raise ConfigError(f"{output} has no journal of a run in {folder}: {cure}")
    journal = Journal(folder / "journal.jsonl", read_only=True)
    journal.load()
    failures = failures_file(output, folder)
    run = RecordedRun(
        output=output,
        folder=folder,
        rejected_file=Path(rejected_list(str(failures))),
        report=read_object(folder / "report.json") or {},
        settings=dict(journal.settings),
        scores=scores or {},
        spent=dict(journal.spent.by_captioner),
        damaged=journal.damaged_lines,
        failures_file=str(failures) if failures.is_file() else "",
    )
    chance = random.Random(output)  # noqa: S311 - a sample, no secret
    for done, outcome in enumerate(journal.outcomes()):
        run.add(outcome, chance)
        if progress is not None and not done % _EACH:
            progress(done, len(journal))
    if scores and not run.scored:
        example = next(iter(run.samples), None)
        names = f"{next(iter(scores))!r} …" + (f", the run {example.key!r} …" if example else "")
        raise ConfigError(
            f"no caption of {output} has a score; they are of {names}: compute them of this output"
        )
    run.add_rules()
    return run
