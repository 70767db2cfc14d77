"""What is done to each of the job's samples, and what may end its run early."""

from __future__ import annotations

from collections.abc import Callable

from cutline.engine.budget import RunLimits
from cutline.engine.journal import Journal
from cutline.engine.prices import Prices
from cutline.engine.sample_pipeline import Rules
from cutline.errors import SampleError
from cutline.interfaces import Sink
from cutline.job import Job
from cutline.prompts import Policy, finish_caption
from cutline.records import Caption, Failure, Outcome, Sample, Skip


def rules_of(job: Job, sink: Sink | None, journal: Journal | None, *, keep_raw: bool) -> Rules:
    """What is done to each of the job's samples."""
    return Rules(
        policy=policy_of(job, sink, journal),
        finish_text=finisher_of(job),
        max_pixels=job.pictures.max_pixels,
        keep_data=sink is not None and sink.needs_picture,
        keep_raw=keep_raw,
    )


def limits_of_run(job: Job, prices: Prices) -> RunLimits:
    """What may end the job's run early."""
    run = job.run
    return RunLimits(
        budget_tokens=run.budget_tokens,
        max_cost=run.max_cost,
        prices=prices,
        stop_after_failures=run.stop_after_failures,
    )


def finisher_of(job: Job) -> Callable[[str, str | None], str]:
    """The last touches on every caption: trigger word, prefix, suffix, and the text there was."""
    options, existing = job.prompts, job.output.existing
    policy: Policy = "overwrite" if existing is None or existing == "skip" else existing

    def finish(text: str, before: str | None) -> str:
        return finish_caption(
            text,
            trigger=options.trigger or "",
            prefix=options.caption_prefix or "",
            suffix=options.caption_suffix or "",
            existing=before,
            policy=policy,
        )

    return finish


def policy_of(
    job: Job, sink: Sink | None, journal: Journal | None
) -> Callable[[Sample], Outcome | str | None]:
    """What is known of a sample before it is asked: an outcome, or the text it already has."""
    policy = job.output.existing

    def decide(sample: Sample) -> Outcome | str | None:
        if sample.problem is not None:
            problem = sample.problem
            if problem.skip:
                return Skip(key=sample.key, reason=problem.kind)
            return Failure(
                key=sample.key, kind=problem.kind, message=problem.message, content_id=sample.content_id
            )
        ours = journal.earlier(sample.key) if journal is not None else None
        if isinstance(ours, Caption):  # what is there now is our own earlier caption
            return ours.existing or ""
        try:
            text = sink.existing_text(sample) if sink is not None else sample.text
        except SampleError as error:
            return Failure(key=sample.key, kind=error.kind, message=str(error), content_id=sample.content_id)
        if text and (policy == "skip" or (policy is None and sink is not None and sink.keeps_captions)):
            return Skip(key=sample.key, reason="captioned already")
        return text or None

    return decide
