"""Caption a few pictures without writing anything: previews, and estimates of a whole run."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeAlias

from cutline.captioners.pool import CaptionerPool
from cutline.chain import Chain
from cutline.credentials import Secret
from cutline.engine import assembly, job_output
from cutline.engine.chain_builder import is_chain
from cutline.engine.check_retries import retries_of
from cutline.engine.executor import LOCAL
from cutline.engine.plan import sample_count
from cutline.engine.prices import Prices, Spending
from cutline.engine.progress import Progress
from cutline.engine.sample_pipeline import SamplePipeline
from cutline.engine.selection import SelectedSource, rules_of, select
from cutline.engine.stage_runner import StageRunner
from cutline.engine.state import open_state
from cutline.engine.stats import usages_of
from cutline.engine.unfinished_samples import UnfinishedSamples
from cutline.errors import ConfigError, JobChanged
from cutline.formatting import plural
from cutline.interfaces import Source
from cutline.job import Job
from cutline.records import Caption, Failure, Outcome, Sample, Usage
from cutline.slots import no_progress
from cutline.worker_threads import in_thread, worker_threads

Say: TypeAlias = Callable[[str], None]

PROBES = 8
_SPREAD_OVER = 2000  # probes are taken from this many samples, evenly
_LOOK_AHEAD = 10_000  # samples that a preview looks at


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Seconds, tokens and US dollars of what is left of a run, scaled up from ``probes``.

    ``seconds`` supposes ``concurrency`` requests at once, as for the probes. ``total`` is None when the
    number of pictures is not known; the rest is then per 1,000 pictures. ``batch_cost`` is the cost through
    a batch API, None where the job cannot use one, or its price is not known. ``done`` pictures have a
    text that is kept, or an outcome of earlier runs, ``done_failed`` of them a failure, which stays.
    """

    probes: int
    failed: int
    total: int | None
    seconds: float
    concurrency: int
    usage: Usage
    cost: float | None
    batch_cost: float | None = None
    done: int = 0
    done_failed: int = 0


async def preview(
    job: Job, count: int, *, key: Secret | None = None, say: Say = lambda _: None
) -> list[tuple[Sample, Outcome]]:
    """The outcomes of the first ``count`` samples without a text that the job keeps; nothing is written.

    ``say`` receives lines about what the first picture waits for, such as a download, and about the samples
    that were passed over.

    Raises:
        ConfigError: the job cannot be run.
        RunStopped: the endpoint cannot be used.
    """
    assembly.prepare(job)
    if count < 1:
        raise ConfigError(f"--preview must be greater than 0, not {count}")
    _note_place(job, say)
    with worker_threads():
        source = await _selected(job, assembly.source_of(job), say)
        samples = await in_thread(_first_without_text, job, count, source, say)
        async with _captioning(job, key) as (chain, stages):
            outcomes, _, _ = await _caption(job, chain, stages, samples, say)
    return list(zip(samples, outcomes, strict=True))


def _first_without_text(job: Job, count: int, source: Source, say: Say) -> list[Sample]:
    """The first samples; under ``--existing skip`` the first of those near the beginning without a text."""
    if job.output.existing != "skip":
        return _first(job, count, source)
    found: list[Sample] = []
    passed = 0
    for sample in _first(job, _LOOK_AHEAD, source):
        passed += bool(sample.text)
        if not sample.text:
            found.append(sample)
        if len(found) == count:
            break
    if passed:
        say(f"passed over {plural(passed, 'picture')} captioned already (--existing skip)")
    return found


def _note_place(job: Job, say: Say) -> None:
    if job.cluster.engine != LOCAL:
        say(f"these few pictures are captioned in this process, not by --engine {job.cluster.engine}")


async def estimate(
    job: Job,
    *,
    key: Secret | None = None,
    say: Say = lambda _: None,
    source: Source | None = None,
    pool: CaptionerPool | None = None,
) -> Estimate:
    """Caption a few of the samples that are left, spread over the first ones, and scale up.

    ``source`` replaces the job's input, and all of its samples count as left; captioners come from ``pool``,
    if it is given.

    Raises:
        ConfigError: the job cannot be run, or no probe got a caption.
        RunStopped: the endpoint cannot be used.
    """
    assembly.prepare(job)
    _note_place(job, say)
    with worker_threads():
        listed = await _selected(job, source or assembly.source_of(job), say)
        async with _captioning(job, key, pool) as (chain, stages):
            if source is None:
                left = await in_thread(_left_of_run, job, chain, stages, listed, say)
            else:
                left = await in_thread(_all_of, job, listed)
            if not left.first:
                return _nothing(left)
            samples = left.first[:: max(1, len(left.first) // PROBES)][:PROBES]
            outcomes, prices, wall = await _caption(job, chain, stages, samples, say)
            return _scaled(job, chain, left, outcomes, prices, wall)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Left:
    """What is left to caption: its first samples, and how many there are if that is known."""

    first: list[Sample]
    total: int | None
    done: int = 0
    failed: int = 0


def _all_of(job: Job, source: Source) -> _Left:
    """All samples that no rule rejects."""
    first = [one for one in _first(job, _SPREAD_OVER, source) if one.problem is None or not one.problem.rule]
    total = sample_count(source, assembly.limit_of(job))
    if total is not None and isinstance(source, SelectedSource):
        total -= source.selection.rejected
    return _Left(first=first, total=total)


def _left_of_run(job: Job, chain: Chain, stages: StageRunner, source: Source, say: Say) -> _Left:
    """The samples without an outcome of earlier runs; all where there are none, without listing them.

    Where the run would be refused, as its settings are others, those of ``--on-change redo-all``.
    """
    try:
        unfinished = UnfinishedSamples(job, chain, stages, source)
    except JobChanged as error:
        job = dataclasses.replace(job, run=dataclasses.replace(job.run, on_change="redo-all"))
        unfinished = UnfinishedSamples(job, chain, stages, source)
        say(f"{error}; this estimate is for redo-all")
    with contextlib.closing(unfinished) as remaining:
        if not remaining.decides:
            return _all_of(job, source)
        samples = remaining.left(assembly.samples_of(source, assembly.limit_of(job)))
        first = list(itertools.islice(samples, _SPREAD_OVER))
        total = len(first) + sum(1 for _ in samples)
        return _Left(first=first, total=total, done=remaining.done + remaining.texts, failed=remaining.failed)


def _nothing(left: _Left) -> Estimate:
    return Estimate(
        probes=0, failed=0, total=left.total, seconds=0.0, concurrency=0, usage=Usage(), cost=0.0,
        done=left.done, done_failed=left.failed,
    )  # fmt: skip


def _scaled(
    job: Job, chain: Chain, left: _Left, outcomes: Sequence[Outcome], prices: Prices, wall: float
) -> Estimate:
    """Scale the probes up; raises ConfigError if none got a caption."""
    captions = [outcome for outcome in outcomes if isinstance(outcome, Caption)]
    if not captions:
        causes = sorted({getattr(outcome, "message", "skipped") for outcome in outcomes})
        raise ConfigError(f"no probe got a caption, so nothing can be estimated: {'; '.join(causes)}")
    probes = len(outcomes)
    concurrency = min(chain.at_once, probes)
    scale = (left.total if left.total is not None else 1000) / probes
    spending = Spending()
    for name, used in itertools.chain.from_iterable(map(usages_of, outcomes)):
        spending.add(chain.models[name], used)
    usage, cost = spending.usage, prices.of(spending)
    batch_cost = None if is_chain(job) else prices.in_batches(spending)
    return Estimate(
        probes=probes,
        failed=sum(isinstance(outcome, Failure) for outcome in outcomes),
        total=left.total,
        seconds=_seconds(chain, captions, wall, probes / concurrency) * scale,
        concurrency=concurrency,
        usage=Usage(
            prompt_tokens=round(usage.prompt_tokens * scale),
            completion_tokens=round(usage.completion_tokens * scale),
        ),
        cost=None if cost is None else cost * scale,
        batch_cost=None if batch_cost is None else batch_cost * scale,
        done=left.done,
        done_failed=left.failed,
    )


async def _selected(job: Job, source: Source, say: Say) -> Source:
    """What the job's rules leave of its source; what is measured for it stays in the output's state."""
    rules = rules_of(job)
    if not rules:
        return source

    def show(progress: Progress) -> None:
        subject = progress.waiting_for.partition(":")[0]
        if subject not in shown:
            say(progress.waiting_for)
        shown.add(subject)

    shown: set[str] = set()
    with open_state(job_output.output_of(job), job.run.state) as state:
        return await select(job, rules, source, state.folder, progress=show)


def _seconds(chain: Chain, captions: list[Caption], wall: float, turns: float) -> float:
    """The time of the probes in so many turns, without waits for retries, which are few in a long run."""
    mean = sum(chain.seconds(caption.steps) for caption in captions) / len(captions)
    return min(wall, mean * turns) if mean else wall


@contextlib.asynccontextmanager
async def _captioning(
    job: Job, key: Secret | None, pool: CaptionerPool | None = None
) -> AsyncIterator[tuple[Chain, StageRunner]]:
    """The job's chain, filters and checks, closed at the end."""
    chain, stages = assembly.chain_of(job, key, pool=pool), assembly.stages_of(job)
    try:
        yield chain, stages
    finally:
        await stages.aclose()
        await chain.aclose()


async def _caption(
    job: Job, chain: Chain, stages: StageRunner, samples: Sequence[Sample], say: Say
) -> tuple[list[Outcome], Prices, float]:
    """The outcomes, the prices, and the seconds that the pictures took side by side."""
    retries = retries_of(job, chain, stages)
    pipeline = SamplePipeline(chain, assembly.rules_of(job), stages, retries=retries)
    try:
        await chain.open(say)
        await stages.open(say)
        prices = assembly.prices_for(job, chain)
        start = time.perf_counter()
        with no_progress():
            results = await asyncio.gather(*(pipeline.caption(sample) for sample in samples))
        wall = time.perf_counter() - start
    finally:
        await pipeline.aclose()
    return [outcome for outcome, _ in results], prices, wall


def _first(job: Job, count: int, source: Source) -> list[Sample]:
    return list(
        itertools.islice(assembly.samples_of(source, assembly.limit_of(job)), min(count, sys.maxsize))
    )
