"""Run a job: assemble what it is made of, run it, close what was opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cutline.captioners.pool import CaptionerPool
from cutline.credentials import Secret
from cutline.engine import assembly
from cutline.engine.cancellation import Stop
from cutline.engine.executor import LOCAL, cluster_executor
from cutline.engine.job_run import JobRun
from cutline.engine.local_executor import LocalExecutor
from cutline.engine.progress import ProgressHook
from cutline.engine.reply_source import ReplySource
from cutline.engine.report import Report
from cutline.engine.stage_runner import StageRunner
from cutline.errors import ConfigError
from cutline.interfaces import Sink, Source
from cutline.job import Job
from cutline.worker_threads import worker_threads

if TYPE_CHECKING:
    from cutline.filters.selection import PictureRules


async def run_job(
    job: Job,
    *,
    source: Source | None = None,
    key: Secret | None = None,
    progress: ProgressHook | None = None,
    stop: Stop | None = None,
    replies: ReplySource | None = None,
    failures: Path | None = None,
    pool: CaptionerPool | None = None,
    sink: Sink | None = None,
) -> Report:
    """Caption everything the job's output does not have yet.

    ``source`` replaces the job's input, ``sink`` what writes its output, ``replies`` the calls of the model,
    ``failures`` the file beside the output that lists what failed. ``stop`` ends the run early and cleanly;
    the same call later resumes it. ``progress`` is called about ten times a second from the event loop and
    must not block.
    Captioners come from ``pool``, if it is given.

    Raises:
        ConfigError: the job cannot be run; the model was not called, and the output not touched.
        SinkError: the output cannot be written; what was paid for is in the journal.
    """
    assembly.prepare(job)
    paths = assembly.checked_paths(job, failures) if sink is None else assembly.paths_of(job, failures)
    progress, stop = progress or (lambda _: None), stop or Stop()
    chain = replies.chain if replies else assembly.chain_of(job, key, pool=pool)
    stages, rules = assembly.stages_of(job), _picture_rules(job)
    executor = cluster_executor(job, key) or LocalExecutor(job, chain, stages, replies)
    if job.cluster.engine != LOCAL:
        _check_executor(replies, stages)
    with worker_threads():
        try:
            run = JobRun(job, paths, chain, stages, rules, progress, stop, replies, sink, executor)
            return await run.run(source or assembly.source_of(job, paths))
        finally:
            await chain.aclose()
            await stages.aclose()
            await executor.aclose()


def _check_executor(replies: ReplySource | None, stages: StageRunner) -> None:
    """Refuse what only this process can do."""
    if replies is not None:
        raise ConfigError("batches are collected in this process: remove --engine")
    for check in stages.checks:
        if check.remembers and type(check).__module__.partition(".")[0] != "cutline":
            raise ConfigError(
                f"--check {check.name}, of a plug-in, compares the captions of one process: remove it, or "
                "--engine"
            )


def _picture_rules(job: Job) -> PictureRules | None:
    """The job's rules about pictures; None without any, as then nothing is measured, nor numpy imported."""
    if not (job.filters.keep or job.filters.dedup):
        return None
    from cutline.engine.selection import rules_of

    return rules_of(job)
