"""One job from start to end: take the state folder, go on where the last run ended, report."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from cutline.chain import Chain
from cutline.credentials import Secret
from cutline.engine import assembly
from cutline.engine.batch_manifest import refuse_open
from cutline.engine.budget import Budget
from cutline.engine.cancellation import Stop
from cutline.engine.fingerprint import Fingerprint, mended_by
from cutline.engine.journal import Journal
from cutline.engine.journal_store import JournalStore
from cutline.engine.output import OrderedOutput
from cutline.engine.progress import Progress, ProgressHook, ProgressReporter
from cutline.engine.report import Interrupted, Report
from cutline.engine.resume import count_of, left_of, peeked
from cutline.engine.sample_pipeline import SamplePipeline, SampleRules
from cutline.engine.shard import ShardHost, ShardResult, ShardTask, run_shard
from cutline.engine.stage_runner import StageRunner
from cutline.engine.state import State, failures_file, state_folder
from cutline.engine.stats import RunStats
from cutline.errors import ConfigError, CutlineError, OutputExists, OutputGone, SinkError
from cutline.interfaces import Sink, Source
from cutline.job import Job
from cutline.records import JSON, Sample
from cutline.sinks.failures import FailuresSink
from cutline.sinks.options import SinkOptions
from cutline.storage import is_url
from cutline.worker_threads import in_thread, worker_threads

REPORT = "report.json"

log = logging.getLogger("cutline.engine")

# Captions that are made into any format in a second or two: more keep somebody waiting who wants to leave.
_QUICKLY_SHOWN = 100_000


class ReplySource(Protocol):
    """Replies that were requested earlier, which a run takes instead of calling the model."""

    chain: Chain
    fingerprint: Fingerprint

    async def open(self, state: State) -> None:
        """Fetch them; the output's folder is locked. ``form`` is known from then on."""

    @property
    def form(self) -> JSON:
        """What decides the output besides the job."""

    def pipeline(
        self, rules: SampleRules, stages: StageRunner, journal: JournalStore, sink: Sink
    ) -> SamplePipeline: ...

    async def done(self, report: Report) -> None:
        """All of them are in the journal, and the output is written."""


async def run_job(
    job: Job,
    *,
    source: Source | None = None,
    key: Secret | None = None,
    progress: ProgressHook | None = None,
    stop: Stop | None = None,
    replies: ReplySource | None = None,
    failures: Path | None = None,
) -> Report:
    """Caption everything the job's output does not have yet.

    ``source`` replaces the one that the job's input names, ``replies`` the calls of the model,
    ``failures`` the file beside the output that lists what failed.
    ``stop`` ends the run early and cleanly; the same call later goes on. ``progress`` is called
    about ten times a second from the event loop and must not block.

    Raises:
        ConfigError: the job cannot be run; the model was not called, and the output not touched.
        SinkError: the output cannot be written; what was paid for is in the journal.
    """
    job.check()
    progress, stop = progress or (lambda _: None), stop or Stop()
    chain = replies.chain if replies else assembly.chain_of(job, key)
    stages = assembly.stages_of(job)
    with worker_threads():
        try:
            run = _Run(job, chain, stages, progress, stop, replies, failures)
            return await run.run(source or assembly.source_of(job))
        finally:
            await chain.aclose()
            await stages.aclose()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What is left to do: ``samples`` are the task's, of which the listing has begun."""

    task: ShardTask
    samples: Iterator[Sample]
    stats: RunStats


class _Run:
    """One run in three parts: plan what is left, work through it as a shard, publish the output."""

    def __init__(
        self,
        job: Job,
        chain: Chain,
        stages: StageRunner,
        progress: ProgressHook,
        stop: Stop,
        replies: ReplySource | None,
        failures: Path | None,
    ) -> None:
        self._job = job
        self._chain = chain
        self._stages = stages
        self._progress = progress
        self._stop = stop
        self._replies = replies
        self._failures = failures
        self._prices = assembly.prices_for(job, chain)
        self._output = assembly.output_of(job)
        self._start = time.monotonic()
        self._loading = 0.0

    async def run(self, source: Source) -> Report:
        folder = state_folder(self._output, self._job.run.state)
        with State(folder, self._output) as state:
            if self._replies is None:
                refuse_open(state)
            else:
                await self._replies.open(state)
            journal = Journal(folder / "journal.jsonl")
            try:
                await in_thread(journal.load)
                if journal.damaged_lines:
                    log.warning(
                        "journal lines=%d damaged: their pictures are asked again", journal.damaged_lines
                    )
                return await self._with_journal(source, state, journal)
            finally:
                journal.close()

    async def _with_journal(self, source: Source, state: State, journal: Journal) -> Report:
        output = self._begin(state, journal)
        result, stats = None, RunStats(spent=journal.spent)
        try:
            plan = await self._plan(source, state, journal, output)
            if plan is not None:
                stats = plan.stats
                result = await self._shard(plan, journal, output)
            stopped = _checked(self._stop.reason)
            if result is not None and result.complete and isinstance(stopped, Interrupted):
                stopped = None  # nothing was left to stop
            await self._publish(output, stopped, begun=result is not None)
        except BaseException:
            output.close()
            raise
        report = self._report(result, stats, output, journal, state.folder, stopped)
        report = dataclasses.replace(report, warnings=(*source.warnings, *output.sink.warnings))
        state.write(REPORT, report.to_json())
        if self._replies and stopped is None:
            await self._replies.done(report)
        return report

    def _begin(self, state: State, journal: Journal) -> OrderedOutput:
        """Begin a run in the journal, unless its settings are refused; the output is not opened."""
        job, replies, stages = self._job, self._replies, self._stages
        sink = assembly.sink_of(job, self._output, state.folder)
        fingerprint = replies.fingerprint if replies else assembly.fingerprint_of(job, self._chain, stages)
        if job.run.max_cost is not None:
            assembly.check_prices(self._prices, journal.spent)
        journal.begin(
            fingerprint,
            on_change=job.run.on_change,
            retry_failed=job.run.retry_failed,
            models=self._chain.models,
            mended=mended_by(job),
            stages=stages.ids,
        )
        failed = self._failures or failures_file(self._output, state.folder)
        failures = FailuresSink(failed, state.folder, SinkOptions(overwrite=True))
        form = assembly.form_of(job, self._output) | (replies.form if replies else {})
        return OrderedOutput(sink, failures, state, journal, form=form)

    async def _plan(
        self, source: Source, state: State, journal: Journal, output: OrderedOutput
    ) -> _Plan | None:
        """Decide what is left to do, load the models for it, and open the output.

        None when the run was stopped before the output was opened.
        """
        job, mark = self._job, output.mark()
        limit = assembly.limit_of(job)
        samples, keys = await in_thread(left_of, source, limit, mark, self._stop)
        # A source that cannot even begin is found out before the output is touched.
        some_left, samples = await in_thread(peeked, samples)
        if some_left:
            await self._open_models()
        if self._stop.requested:
            return None
        try:
            await in_thread(output.open, mark if keys else None, keys)
        except (OutputGone, OutputExists) as error:
            if keys is None or (isinstance(error, OutputExists) and job.output.existing != "overwrite"):
                raise
            log.warning("output is written anew from the journal: %s", error)
            await in_thread(output.close)
            samples, keys = await in_thread(left_of, source, limit, None, self._stop)
            await in_thread(output.open, None, None)
        state.remove(REPORT)
        keep_raw = assembly.keeps_raw(job, self._output)
        task = ShardTask(
            job=job,
            source=source,
            rules=assembly.rules_of(job, keep_data=output.needs_picture, keep_raw=keep_raw),
            start=keys.count if keys else 0,
            stop=limit,
        )
        stats = RunStats(
            before=copy.deepcopy(output.counts),
            causes=copy.deepcopy(output.causes),
            spent=journal.spent,
            paid=journal.paid,
            models=self._chain.models,
        )
        return _Plan(task=task, samples=samples, stats=stats)

    async def _open_models(self) -> None:
        """Load what takes minutes, after all that may be refused, unless the run is stopped meanwhile."""
        begun = time.monotonic()
        loop = asyncio.get_running_loop()

        def say(line: str) -> None:
            loop.call_soon_threadsafe(self._progress, Progress(waiting_for=line))

        for part in (self._chain, self._stages):
            opening, stopping = asyncio.create_task(part.open(say)), asyncio.create_task(self._stop.wait())
            try:
                await asyncio.wait({opening, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if opening.done():
                    opening.result()
            finally:
                for task in (opening, stopping):
                    task.cancel()
                await asyncio.gather(opening, stopping, return_exceptions=True)
        self._loading = time.monotonic() - begun

    async def _shard(self, plan: _Plan, journal: Journal, output: OrderedOutput) -> ShardResult:
        """Work through what is left, and report progress meanwhile."""
        task, stats = plan.task, plan.stats
        if self._replies is not None:
            pipeline = self._replies.pipeline(task.rules, self._stages, journal, output.sink)
        else:
            pipeline = SamplePipeline(
                self._chain, task.rules, self._stages, journal=journal, sink=output.sink
            )
        budget = Budget(assembly.limits_of_run(self._job, self._prices), stats)
        host = ShardHost(journal=journal, slots=budget, stats=stats, stop=self._stop)
        counting = in_thread(count_of, task.source, task.stop)
        reporter = ProgressReporter(
            self._progress,
            stats,
            pipeline,
            prices=self._prices,
            first=task.start,
            total=lambda: counting.result() if counting.done() else None,
        )
        reporting = asyncio.create_task(reporter.run())
        try:
            return await run_shard(task, pipeline, output, host, plan.samples)
        finally:
            reporting.cancel()
            await asyncio.gather(reporting, return_exceptions=True)
            reporter.report()
            counting.cancel()
            await pipeline.aclose()

    async def _publish(self, output: OrderedOutput, stopped: CutlineError | None, *, begun: bool) -> None:
        leaving = isinstance(stopped, Interrupted) and output.counts.captions > _QUICKLY_SHOWN
        if leaving or not begun:
            await in_thread(output.close)
        else:
            await in_thread(output.publish, finished=stopped is None)

    def _report(
        self,
        result: ShardResult | None,
        stats: RunStats,
        output: OrderedOutput,
        journal: Journal,
        folder: Path,
        stopped: CutlineError | None,
    ) -> Report:
        known = stats.known if result else output.counts
        causes = stats.causes if result else output.causes
        left_out = len(journal) - stats.before.journalled - stats.resumed.total - stats.changed
        return Report(
            output=_whole(self._output),
            outputs=tuple(_whole(path) for path in output.outputs if _is_there(path)),
            state=str(folder),
            model=self._chain.name,
            prompts=tuple(step.prompt.id for step in self._chain.steps),
            counts=output.counts,
            known=known,
            causes=causes.by_kind(),
            stages=self._stages.summaries(known),
            first=tuple(output.first),
            failed=tuple(output.failed),
            fresh=stats.fresh,
            spent=stats.spent.usage,
            cost=self._prices.of(stats.spent),
            seconds=time.monotonic() - self._start - self._loading,
            loading_seconds=self._loading,
            requests_resumed=stats.resumed.total,
            changed=stats.changed,
            replaced=stats.replaced,
            first_replaced=tuple(stats.first_replaced),
            left_out=max(0, left_out) if result and not stopped else 0,
            waiting=result.waiting if result and stopped else 0,
            stopped=stopped,
            allow_failures=self._job.run.allow_failures,
        )


def _whole(path: Path | str) -> str:
    """The path from the root on, whatever the folder that one is in; of storage as it is."""
    return str(path) if is_url(str(path)) else str(Path(path).absolute())


def _is_there(path: Path | str) -> bool:
    return is_url(str(path)) or Path(path).exists()


def _checked(reason: CutlineError | None) -> CutlineError | None:
    """Why the run stopped; an output or input that cannot be used is raised instead."""
    if isinstance(reason, SinkError | ConfigError):
        raise reason
    return reason
