"""Asking about a few pictures without writing anything: previews, and estimates of a whole run."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from cutline.chain import Chain
from cutline.credentials import Secret
from cutline.engine import assembly
from cutline.engine.chain_builder import is_chain
from cutline.engine.prices import Prices, Spending
from cutline.engine.sample_pipeline import SamplePipeline
from cutline.engine.stats import Counts, usages_of
from cutline.errors import ConfigError
from cutline.job import Job
from cutline.records import Caption, Outcome, Sample, Usage
from cutline.worker_threads import in_thread, worker_threads

Say: TypeAlias = Callable[[str], None]

PROBES = 8
_SPREAD_OVER = 2000  # probes are taken from this many samples, evenly


def _silent(_: str) -> None:
    """Says nothing."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What the whole run will take, scaled up from ``probes``: seconds, tokens, US dollars.

    ``seconds`` supposes ``concurrency`` requests at once, as the probes ran; more will be faster.
    ``total`` is None when only reading everything would tell how many pictures there are; the
    rest is then per 1,000 pictures. ``batch_cost`` is that of the same answers through a batch API, None
    where the job cannot have them there, or the model has no price for it.
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
    job: Job, count: int, *, key: Secret | None = None, say: Say = _silent
) -> list[tuple[Sample, Outcome]]:
    """The outcomes of the first ``count`` samples; nothing is written.

    ``say`` takes lines about what is waited for before the first picture, such as a download.

    Raises:
        ConfigError: the job cannot be run.
        RunStopped: the endpoint cannot be used.
    """
    job.check()
    if count < 1:
        raise ConfigError(f"--preview must be greater than 0, not {count}")
    with worker_threads():
        samples = await in_thread(_first, job, count)
        _, outcomes, _ = await _ask(job, samples, key, say)
    return list(zip(samples, outcomes, strict=True))


async def estimate(job: Job, *, key: Secret | None = None, say: Say = _silent) -> Estimate:
    """Ask about a few samples, spread over the first ones listed, and scale up.

    Raises:
        ConfigError: the job cannot be run, or no probe got a caption.
        RunStopped: the endpoint cannot be used.
    """
    job.check()
    source = assembly.source_of(job)
    limit = assembly.limit_of(job)
    with worker_threads():
        listed = await in_thread(_first, job, _SPREAD_OVER)
        samples = listed[:: max(1, len(listed) // PROBES)][:PROBES]
        start = time.perf_counter()
        chain, outcomes, prices = await _ask(job, samples, key, say)
        wall = time.perf_counter() - start
        total = await in_thread(source.count)
    captions = [outcome for outcome in outcomes if isinstance(outcome, Caption)]
    if not captions:
        causes = "; ".join(sorted({getattr(outcome, "message", "skipped") for outcome in outcomes}))
        raise ConfigError(f"no probe got a caption, so nothing can be estimated: {causes}")
    counts = Counts()
    for outcome in outcomes:
        counts.add(outcome)
    if total is not None and limit is not None:
        total = min(total, limit)
    scale = (total if total is not None else 1000) / len(samples)
    spending = Spending()
    for outcome in outcomes:
        for name, used in usages_of(outcome):
            spending.add(chain.models[name], used)
    usage, cost = spending.usage, prices.of(spending)
    batch_cost = None if is_chain(job) else prices.in_batches(spending)
    scaled = Usage(
        prompt_tokens=round(usage.prompt_tokens * scale),
        completion_tokens=round(usage.completion_tokens * scale),
    )
    # The probes ran side by side: their wall time is what this many requests at once give.
    concurrency = min(job.run.max_concurrent_requests or len(samples), len(samples))
    return Estimate(
        probes=len(samples),
        failed=counts.failures,
        total=total,
        seconds=_seconds(chain, captions, wall) * scale,
        concurrency=concurrency,
        usage=scaled,
        cost=None if cost is None else cost * scale,
        batch_cost=None if batch_cost is None else batch_cost * scale,
    )


def _seconds(chain: Chain, captions: list[Caption], wall: float) -> float:
    """The time of the probes side by side, without waits for repetitions: those are few in a long run."""
    mean = sum(chain.seconds(caption.steps) for caption in captions) / len(captions)
    return min(wall, mean) if mean else wall


async def _ask(
    job: Job, samples: Sequence[Sample], key: Secret | None, say: Say
) -> tuple[Chain, list[Outcome], Prices]:
    chain = assembly.chain_of(job, key)
    stages = assembly.stages_of(job)
    pipeline = SamplePipeline(chain, assembly.rules_of(job), stages)
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


def _first(job: Job, count: int) -> list[Sample]:
    source = assembly.source_of(job)
    return list(itertools.islice(assembly.samples_of(source, assembly.limit_of(job)), count))
