"""The judge's job: an ordinary one, whose samples are games or single captions."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cutline.credentials import Secret
from cutline.engine import assembly
from cutline.engine.cancellation import Stop
from cutline.engine.progress import ProgressHook
from cutline.engine.report import Report
from cutline.engine.run import run_job
from cutline.errors import ConfigError, RunStopped
from cutline.formatting import plural
from cutline.interfaces import Source
from cutline.job import Job
from cutline.judgment.verdicts import JudgeReply, ReplySink
from cutline.options import CheckOptions, FilterOptions, InputOptions, OutputOptions, PromptOptions

PROMPT: Final = "judge"


def judge_job(job: Job, prompt: str = PROMPT) -> Job:
    """The judge's job, with the model and limits of ``job`` and none of its options for captions."""
    if job.model.chain is not None or job.model.step:
        raise ConfigError("a judge is one model: give it as --judge MODEL, without --chain and --step")
    own = job.input
    return dataclasses.replace(
        job,
        input_path="",
        input=InputOptions(allow_private_urls=own.allow_private_urls, user_agent=own.user_agent),
        prompts=PromptOptions(prompt=(prompt,)),
        checks=CheckOptions(),
        filters=FilterOptions(),  # a game's picture is that of other games too
        output=OutputOptions(),
        run=dataclasses.replace(job.run, state=None),
    )


async def check_judge(job: Job, key: Secret | None) -> None:
    """Raise ConfigError if the model cannot judge, or does not support these options."""
    assembly.prepare(job)
    async with contextlib.aclosing(assembly.chain_of(job, key)) as chain:
        assembly.prices_for(job, chain)
        if not chain.steps[0].captioner.profile.instructable:
            raise ConfigError(
                f"{job.model.model} follows no instructions and cannot judge: take a chat model, such as "
                "--judge openai:gpt-4o-mini"
            )


async def replies_to(
    source: Source,
    job: Job,
    *,
    folder: Path,
    key: Secret | None = None,
    progress: ProgressHook | None = None,
    stop: Stop | None = None,
    batch: bool = False,
) -> tuple[Mapping[str, JudgeReply], Report | None]:
    """The judge's replies to the samples of a source, by key; only missing ones are requested.

    ``folder`` keeps a journal for each judge and prompt. The report is None where there are no samples.
    ``batch``: through the service's batch API.

    Raises:
        ConfigError, SinkError: as ``run_job``.
        RunStopped: the replies are not ready yet; the same call collects them later.
    """
    sink = ReplySink()
    if not source.count():
        return sink.replies, None
    place = folder / _folder_name(job) / "replies.jsonl"
    await asyncio.to_thread(place.parent.mkdir, parents=True, exist_ok=True)
    job = dataclasses.replace(job, output_path=str(place))
    if batch:
        collected = await _by_batch(source, sink, job, key=key, progress=progress, stop=stop)
        if collected is not None:
            return sink.replies, collected
    report = await run_job(
        job,
        source=source,
        key=key,
        progress=progress,
        stop=stop,
        sink=sink,
    )
    return sink.replies, report


async def _by_batch(
    source: Source,
    sink: ReplySink,
    job: Job,
    *,
    key: Secret | None,
    progress: ProgressHook | None,
    stop: Stop | None,
) -> Report | None:
    """Submit missing requests and collect finished ones; None if all replies are in the journal."""
    from cutline.engine.batches.collect import IN_NO_BATCH, UNDER_WAY, collect_job
    from cutline.engine.batches.submit import submit_job

    sent = await submit_job(job, source=source, key=key, progress=progress, stop=stop)
    if sent.stopped is not None:
        raise RunStopped(f"stopped: {sent.stopped}; run the same command again to continue")
    if not sent.stats.pictures and not sent.stats.waiting:
        return None
    collection = await collect_job(
        sent.output, source=source, sink=sink, key=key, progress=progress, stop=stop
    )
    report = collection.report
    reasons = {} if report is None else report.counts.reasons
    waiting = sum(reasons.get(reason, 0) for reason in (UNDER_WAY, IN_NO_BATCH))
    if report is None or waiting or collection.status.under_way:
        waiting = waiting or sent.stats.pictures + sent.stats.waiting
        raise RunStopped(
            f"{plural(waiting, 'request')} {'is' if waiting == 1 else 'are'} in batches at the service, "
            "which answers within a day: run the same command again to collect the replies"
        )
    return report


def _folder_name(job: Job) -> str:
    """A readable folder name, unique for each judge and prompt."""
    name = f"{job.model.model} {job.prompts.prompt[0]}"
    plain = re.sub(r"[^A-Za-z0-9.-]+", "_", name).strip("._")[:60]
    return f"{plain}-{hashlib.blake2b(name.encode(), digest_size=4).hexdigest()}"
