"""Handle the events of workers: append to the journal, count, and answer from both."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

from cutline.engine.journal import Journal
from cutline.engine.sample_outcomes import log_outcome
from cutline.engine.sample_rules import SampleRules
from cutline.engine.selection import SelectedSource
from cutline.engine.shard_task import ShardHost
from cutline.engine.stats import RunStats
from cutline.errors import SampleError
from cutline.interfaces import Sink, Source
from cutline.ray.comparisons import Comparisons
from cutline.ray.messages import (
    NOTHING,
    Announcement,
    Appended,
    AppendedContent,
    AppendedStep,
    Comparison,
    Event,
    Forgotten,
    Known,
    Logged,
    Lookup,
    SharedRequest,
    Written,
)
from cutline.ray.requests import Requests
from cutline.ray.shards import Shard
from cutline.ray.worker_log import log
from cutline.records import Caption, Outcome, Sample, Step
from cutline.worker_threads import in_thread

Answer: TypeAlias = Callable[[int, object], None]
"""Sends a worker the answer to the question with a number."""


class RunRecords:
    """The run's journal, with the records of its workers until they are written.

    ``busy`` counts the workers that have a shard, ``fatal_in_a_row`` the pictures over which workers died
    since the last caption.
    """

    def __init__(
        self, journal: Journal, sink: Sink, rules: SampleRules, source: Source, comparisons: Comparisons
    ) -> None:
        self._selected = source if isinstance(source, SelectedSource) else None
        self._journal = journal
        self._sink = sink
        self._rules = rules
        self._pending: dict[str, Outcome] = {}
        self._steps: dict[str, list[tuple[str, tuple[Step, ...]]]] = {}
        self._comparisons = comparisons
        self._requests = Requests(journal.outcome_of)
        journal.has_repeats = source.has_repeats
        self.busy = self.fatal_in_a_row = 0
        self.has_history = journal.has_history or self._selected is not None

    @property
    def is_busy(self) -> bool:
        return self.busy > 0

    async def take(self, event: Event, shard: Shard, host: ShardHost, answer: Answer) -> None:
        """Act on an event of a worker."""
        journal, stats = self._journal, host.stats
        match event:
            case Appended(outcome=outcome):
                self._append(outcome, stats)
                if isinstance(outcome, Caption):
                    self.fatal_in_a_row = 0
                shard.end(outcome.key)
                self._requests.end(outcome.key, shard)
            case AppendedStep(key=key, content_id=content_id, step=step):
                journal.append_step(key, content_id, step)
                stats.add_step(step)
                self._steps.setdefault(key, []).append((content_id, (step,)))
            case AppendedContent(key=key, content_id=content_id):
                journal.append_content(key, content_id)
            case Written():
                self._write(event, shard, stats)
            case Forgotten():
                self._comparisons.forget(event)
            case Logged():
                log(event)
            case _:
                await self._answer(event, shard, answer)

    async def _answer(
        self, event: Announcement | SharedRequest | Lookup | Comparison, shard: Shard, answer: Answer
    ) -> None:
        match event:
            case Announcement(number=number, key=key, content_id=content_id):
                shard.under_way[key] = content_id
                answer(number, None)
            case SharedRequest(number=number, key=key, request=request):
                self._requests.wait(request, key, shard, lambda found: answer(number, found))
            case Lookup(number=number):
                answer(number, await self._look_up(event, shard))
            case Comparison(number=number):
                answer(number, await self._comparisons.check(event, shard))

    def release(self, shard: Shard) -> None:
        """No worker has the shard any more."""
        self._requests.release(shard)
        self._comparisons.release(shard)

    async def _look_up(self, event: Lookup, shard: Shard) -> dict[str, Known]:
        found = {}
        for sample, request in zip(event.samples, event.requests, strict=True):
            known = await self._known(sample, outdated=event.outdated)
            if request is not None and known.outcome is None:
                is_own = self._requests.claim(request, sample.key, shard)
                known = dataclasses.replace(known, is_elsewhere=not is_own)
            if known != NOTHING:
                found[sample.key] = known
        return found

    def add_failure(self, outcome: Outcome, shard: Shard, host: ShardHost) -> None:
        """Keep an outcome that no worker produced."""
        self.fatal_in_a_row += 1
        self._append(outcome, host.stats)
        self._requests.end(outcome.key, shard)

    def _append(self, outcome: Outcome, stats: RunStats) -> None:
        self._journal.append(outcome)
        stats.add_usage(outcome)
        log_outcome(outcome)
        self._pending[outcome.key] = outcome

    def _write(self, event: Written, shard: Shard, stats: RunStats) -> None:
        key = event.sample.key
        pending = self._pending.pop(key, None)
        self._steps.pop(key, None)
        shard.end(key)
        self._requests.end(key, shard)
        outcome = event.outcome if event.outcome is not None else pending
        assert outcome is not None, "an outcome is appended before it is written"
        stats.add(event.sample, outcome, fresh=event.is_fresh or pending is not None)
        shard.put((event.sample, outcome, event.picture))

    async def _known(self, sample: Sample, *, outdated: bool) -> Known:
        outcome = self._pending.get(sample.key) or self._journal.get(sample.key)
        earlier = self._journal.earlier(sample.key)
        steps = (*self._journal.steps(sample.key), *self._steps.get(sample.key, ()))
        selected = None if self._selected is None else self._selected.selected(sample)
        known = Known(outcome=outcome, steps=steps, earlier=earlier, sample=selected)
        if not self._sink.keeps_captions:
            return known
        return await in_thread(self._with_output, sample, known, outdated=outdated)

    def _with_output(self, sample: Sample, known: Known, *, outdated: bool) -> Known:
        """Add the output's contents for the sample, and why it would not accept its caption; reads files."""
        earlier = None if outdated else known.outcome
        text = self._rules.refinish(earlier).text if isinstance(earlier, Caption) else None
        try:
            self._sink.check_write(sample, text)
        except SampleError as error:
            return dataclasses.replace(known, refused=error)
        if earlier is not None or isinstance(known.earlier, Caption) or sample.problem is not None:
            return known
        try:
            return dataclasses.replace(known, existing=self._sink.existing_text(sample))
        except SampleError as error:
            return dataclasses.replace(known, existing=error)
