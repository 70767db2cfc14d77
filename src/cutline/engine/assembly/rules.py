"""What is done to each of the job's samples, and what may end its run early."""

from __future__ import annotations

from cutline.engine.budget import RunLimits
from cutline.engine.prices import Prices
from cutline.engine.sample_pipeline import SampleRules
from cutline.job import Job


def rules_of(job: Job, *, keep_data: bool = False, keep_raw: bool = False) -> SampleRules:
    """What is done to each of the job's samples."""
    prompts = job.prompts
    return SampleRules(
        existing=job.output.existing,
        trigger=prompts.trigger or "",
        prefix=prompts.caption_prefix or "",
        suffix=prompts.caption_suffix or "",
        max_pixels=job.pictures.max_pixels,
        allow_private_urls=job.input.allow_private_urls,
        keep_data=keep_data,
        keep_raw=keep_raw,
    )


def limits_of_run(job: Job, prices: Prices) -> RunLimits:
    """What may end the job's run early."""
    return RunLimits(budget_tokens=job.run.budget_tokens, max_cost=job.run.max_cost, prices=prices)
