"""Asking about a few pictures without writing anything: previews, and estimates of a whole run."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import time
from collections.abc import Sequence

from cutline.captioners.secrets import Secret
from cutline.engine import assembly
from cutline.engine.captioning import Captioning
from cutline.engine.pricing import Price
from cutline.engine.progress import Counts, usage_of
from cutline.errors import ConfigError
from cutline.job import Job
from cutline.records import Caption, Outcome, Sample, Usage

PROBES = 8
_SPREAD_OVER = 2000  # probes are taken from this many samples, evenly


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What the whole run will take, scaled up from ``probes``: seconds, tokens, US dollars.

    ``seconds`` supposes ``concurrency`` requests at once, as the probes ran; more will be faster.
    ``total`` is None when only reading everything would tell how many pictures there are; the
    rest is then per 1,000 pictures.
    """

    probes: int
    failed: int
    total: int | None
    seconds: float
    concurrency: int
    usage: Usage
    cost: float | None


async def preview(job: Job, count: int, *, key: Secret | None = None) -> list[tuple[Sample, Outcome]]:
    """The outcomes of the first ``count`` samples; nothing is written.

    Raises:
        ConfigError: the job cannot be run.
        RunStopped: the endpoint cannot be used.
    """
    job.check()
    if count < 1:
        raise ConfigError(f"--preview must be greater than 0, not {count}")
    samples = await asyncio.to_thread(_first, job, count)
    outcomes, _ = await _ask(job, samples, key)
    return list(zip(samples, outcomes, strict=True))


async def estimate(job: Job, *, key: Secret | None = None) -> Estimate:
    """Ask about a few samples, spread over the first ones listed, and scale up.

    Raises:
        ConfigError: the job cannot be run, or no probe got a caption.
        RunStopped: the endpoint cannot be used.
    """
    job.check()
    source = assembly.source_of(job)
    limit = assembly.limit_of(job)
    listed = await asyncio.to_thread(_first, job, _SPREAD_OVER)
    samples = listed[:: max(1, len(listed) // PROBES)][:PROBES]
    start = time.perf_counter()
    outcomes, price = await _ask(job, samples, key)
    wall = time.perf_counter() - start
    captions = [outcome for outcome in outcomes if isinstance(outcome, Caption)]
    if not captions:
        causes = "; ".join(sorted({getattr(outcome, "message", "skipped") for outcome in outcomes}))
        raise ConfigError(f"no probe got a caption, so nothing can be estimated: {causes}")
    counts = Counts()
    for outcome in outcomes:
        counts.add(outcome)
    total = await asyncio.to_thread(source.count)
    if total is not None and limit is not None:
        total = min(total, limit)
    scale = (total if total is not None else 1000) / len(samples)
    usage = sum((usage_of(outcome) for outcome in outcomes), Usage())
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
        seconds=_seconds(captions, wall) * scale,
        concurrency=concurrency,
        usage=scaled,
        cost=price.of(scaled) if price else None,
    )


def _seconds(captions: list[Caption], wall: float) -> float:
    """The time of the probes side by side, without waits for repetitions: those are few in a long run."""
    replies = [step.reply for caption in captions for step in caption.steps]
    mean = sum(reply.seconds for reply in replies) / len(replies)
    return min(wall, mean) if mean else wall


async def _ask(job: Job, samples: Sequence[Sample], key: Secret | None) -> tuple[list[Outcome], Price | None]:
    chain = assembly.chain_of(job, assembly.prompts_of(job), key)
    rules = assembly.rules_of(job, None, None, keep_raw=False)
    captioning = Captioning(chain, rules, assembly.fetcher_opener(job))
    try:
        price = assembly.price_for(job, chain)
        results = await asyncio.gather(*(captioning.caption(sample) for sample in samples))
    finally:
        await captioning.aclose()
        await chain.aclose()
    return [outcome for outcome, _ in results], price


def _first(job: Job, count: int) -> list[Sample]:
    source = assembly.source_of(job)
    return list(itertools.islice(assembly.samples_of(source, assembly.limit_of(job)), count))
