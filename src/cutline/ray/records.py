"""What the driver does with the events of workers: journal, counts, and answers from both."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from cutline.engine.journal_store import JournalStore
from cutline.engine.sample_outcomes import log_outcome
from cutline.engine.sample_rules import SampleRules
from cutline.engine.selection import SelectedSource
from cutline.engine.shard_task import ShardHost
from cutline.engine.stats import RunStats
from cutline.errors import CutlineError, SampleError
from cutline.interfaces import Sink, Source
from cutline.ray.messages import (
    Announcement,
    Appended,
    AppendedContent,
    AppendedStep,
    Event,
    Known,
    Lookup,
    Written,
)
from cutline.ray.shards import Shard
from cutline.records import Caption, LeftOver, Outcome, Sample, Step
from cutline.worker_threads import in_thread


class RunRecords:
    """The journal of a run with what its workers append, until that is written.

    ``busy`` counts the workers that have a shard.
    """

    def __init__(self, journal: JournalStore, sink: Sink, rules: SampleRules, source: Source) -> None:
        self._selected = source if isinstance(source, SelectedSource) else None
        self._journal = journal
        self._sink = sink
        self._rules = rules
        self._pending: dict[str, Outcome] = {}
        self._steps: dict[str, list[tuple[str, tuple[Step, ...]]]] = {}
        self.busy = 0
        self.has_history = journal.has_history or self._selected is not None

    @property
    def is_busy(self) -> bool:
        return self.busy > 0

    async def take(
        self, event: Event, shard: Shard, stats: RunStats
    ) -> tuple[int, Mapping[str, Known]] | None:
        """Act on an event of a worker; returns its number and the answer where it waits for one."""
        journal = self._journal
        match event:
            case Appended(outcome=outcome):
                self._append(outcome, stats)
                shard.under_way.pop(outcome.key, None)
            case AppendedStep(key=key, content_id=content_id, step=step):
                journal.append_step(key, content_id, step)
                stats.add_step(step)
                self._steps.setdefault(key, []).append((content_id, (step,)))
            case AppendedContent(key=key, content_id=content_id):
                journal.append_content(key, content_id)
            case Written():
                self._write(event, shard, stats)
            case Announcement(number=number, key=key, content_id=content_id):
                shard.under_way[key] = content_id
                return number, {}
            case Lookup(number=number, samples=samples):
                return number, {sample.key: await self._known(sample) for sample in samples}
        return None

    def add_failure(self, outcome: Outcome, host: ShardHost) -> None:
        """Keep an outcome that no worker could give."""
        self._append(outcome, host.stats)

    def _append(self, outcome: Outcome, stats: RunStats) -> None:
        self._journal.append(outcome)
        stats.add_usage(outcome)
        log_outcome(outcome)
        self._pending[outcome.key] = outcome

    def _write(self, event: Written, shard: Shard, stats: RunStats) -> None:
        key = event.sample.key
        pending = self._pending.pop(key, None)
        self._steps.pop(key, None)
        shard.under_way.pop(key, None)
        outcome = event.outcome if event.outcome is not None else pending
        assert outcome is not None, "an outcome is appended before it is written"
        stats.add(event.sample, outcome, fresh=event.is_fresh or pending is not None)
        shard.put((event.sample, outcome, event.picture))

    async def _known(self, sample: Sample) -> Known:
        outcome = self._pending.get(sample.key) or self._journal.get(sample.key)
        earlier = self._journal.earlier(sample.key)
        steps = (*self._journal.steps(sample.key), *self._steps.get(sample.key, ()))
        selected = None if self._selected is None else self._selected.selected(sample)
        known = Known(outcome=outcome, steps=steps, earlier=earlier, sample=selected)
        return await in_thread(self._with_output, sample, known) if self._sink.keeps_captions else known

    def _with_output(self, sample: Sample, known: Known) -> Known:
        """With what the output holds of the sample, and why it would not take its caption; reads files."""
        refused: CutlineError | None = None
        existing: str | CutlineError | None = None
        earlier = known.outcome
        text = self._rules.refinish(earlier).text if isinstance(earlier, Caption) else None
        try:
            self._sink.check_write(sample, text)
        except SampleError as error:
            refused = error
        try:
            existing = self._sink.existing_text(sample)
        except SampleError as error:
            existing = error
        return dataclasses.replace(known, existing=existing, refused=refused)


def merged(records: Iterable[LeftOver]) -> list[LeftOver]:
    """One record for each kind of left-over."""
    merged: dict[tuple[str, str], LeftOver] = {}
    for record in records:
        known = merged.get((record.kind, record.cure))
        merged[record.kind, record.cure] = (
            record if known is None else dataclasses.replace(known, count=known.count + record.count)
        )
    return list(merged.values())
