"""Caption a few pictures without writing anything: previews, and estimates of a whole run."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import sys
import time
from collections.abc import Callable, Sequence
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
from cutline.engine.state import open_state
from cutline.engine.stats import usages_of
from cutline.errors import ConfigError
from cutline.interfaces import Source
from cutline.job import Job
from cutline.records import Caption, Failure, Outcome, Sample, Usage
from cutline.worker_threads import in_thread, worker_threads

Say: TypeAlias = Callable[[str], None]

PROBES = 8
_SPREAD_OVER = 2000  # probes are taken from this many samples, evenly


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Seconds, tokens and US dollars of the whole run, scaled up from ``probes``.

    ``seconds`` supposes ``concurrency`` requests at once, as for the probes. ``total`` is None when the
    number of pictures is not known; the rest is then per 1,000 pictures. ``batch_cost`` is the cost through
    a batch API, None where the job cannot use one, or its price is not known.
    """

    probes: int
    failed: int
    total: int | None
    seconds: float
    concurrency: int
    usage: Usage
    cost: float | None
    batch_cost: float | None = None


async def preview(
    job: Job, count: int, *, key: Secret | None = None, say: Say = lambda _: None
) -> list[tuple[Sample, Outcome]]:
    """The outcomes of the first ``count`` samples; nothing is written.

    ``say`` receives lines about what the first picture waits for, such as a download.

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
        samples = await in_thread(_first, job, count, source)
        _, outcomes, _ = await _caption(job, samples, key, say)
    return list(zip(samples, outcomes, strict=True))


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
    """Caption a few samples, spread over the first ones listed, and scale up.

    ``source`` replaces the job's input; captioners come from ``pool``, if it is given.

    Raises:
        ConfigError: the job cannot be run, or no probe got a caption.
        RunStopped: the endpoint cannot be used.
    """
    assembly.prepare(job)
    _note_place(job, say)
    with worker_threads():
        source = await _selected(job, source or assembly.source_of(job), say)
        listed = await in_thread(_first, job, _SPREAD_OVER, source)
        listed = [sample for sample in listed if sample.problem is None or not sample.problem.rule]
        samples = listed[:: max(1, len(listed) // PROBES)][:PROBES]
        start = time.perf_counter()
        chain, outcomes, prices = await _caption(job, samples, key, say, pool)
        wall = time.perf_counter() - start
        total = await in_thread(sample_count, source, assembly.limit_of(job))
    if total is not None and isinstance(source, SelectedSource):
        total -= source.selection.rejected
    captions = [outcome for outcome in outcomes if isinstance(outcome, Caption)]
    if not captions:
        causes = sorted({getattr(outcome, "message", "skipped") for outcome in outcomes})
        raise ConfigError(f"no probe got a caption, so nothing can be estimated: {'; '.join(causes)}")
    scale = (total if total is not None else 1000) / len(samples)
    spending = Spending()
    for name, used in itertools.chain.from_iterable(map(usages_of, outcomes)):
        spending.add(chain.models[name], used)
    usage, cost = spending.usage, prices.of(spending)
    batch_cost = None if is_chain(job) else prices.in_batches(spending)
    return Estimate(
        probes=len(samples),
        failed=sum(isinstance(outcome, Failure) for outcome in outcomes),
        total=total,
        seconds=_seconds(chain, captions, wall) * scale,
        # The probes ran side by side, so their wall time is that of as many requests at once.
        concurrency=min(job.run.max_concurrent_requests or len(samples), len(samples)),
        usage=Usage(
            prompt_tokens=round(usage.prompt_tokens * scale),
            completion_tokens=round(usage.completion_tokens * scale),
        ),
        cost=None if cost is None else cost * scale,
        batch_cost=None if batch_cost is None else batch_cost * scale,
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


def _seconds(chain: Chain, captions: list[Caption], wall: float) -> float:
    """The time of the probes side by side, without waits for retries, which are few in a long run."""
    mean = sum(chain.seconds(caption.steps) for caption in captions) / len(captions)
    return min(wall, mean) if mean else wall


async def _caption(
    job: Job,
    samples: Sequence[Sample],
    key: Secret | None,
    say: Say,
    pool: CaptionerPool | None = None,
) -> tuple[Chain, list[Outcome], Prices]:
    chain = assembly.chain_of(job, key, pool=pool)
    stages = assembly.stages_of(job)
    retries = retries_of(job, chain, stages)
    pipeline = SamplePipeline(chain, assembly.rules_of(job), stages, retries=retries)
    try:
        await chain.open(say)
        await stages.open(say)
        prices = assembly.prices_for(job, chain)
        results = await asyncio.gather(*(pipeline.caption(sample) for sample in samples))
    finally:
        await pipeline.aclose()
        await stages.aclose()
        await chain.aclose()
    return chain, [outcome for outcome, _ in results], prices


def _first(job: Job, count: int, source: Source) -> list[Sample]:
    return list(
        itertools.islice(assembly.samples_of(source, assembly.limit_of(job)), min(count, sys.maxsize))
    )
