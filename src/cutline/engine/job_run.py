"""One run of a job: lock its state folder, resume where the last run ended, publish, report."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import functools
import logging
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from cutline.chain import Chain
from cutline.engine import assembly, job_output
from cutline.engine.batch_manifest import refuse_open
from cutline.engine.budget import Budget
from cutline.engine.cancellation import Stop, until_stopped
from cutline.engine.check_retries import failed_checks, writes_the_same
from cutline.engine.content import reader_for
from cutline.engine.executor import Executor, Terms
from cutline.engine.input_file import InputFile
from cutline.engine.journal import Journal
from cutline.engine.kept_prompts import KeptPrompts
from cutline.engine.local_executor import LocalExecutor
from cutline.engine.output import OrderedOutput
from cutline.engine.plan import Plan, plan_run, sample_count
from cutline.engine.prices import Prices
from cutline.engine.progress import Progress, ProgressHook, ProgressReporter
from cutline.engine.reply_source import ReplySource
from cutline.engine.report import Interrupted, Report, absolute, places
from cutline.engine.shard_task import ShardHost, ShardResult
from cutline.engine.stage_runner import StageRunner
from cutline.engine.state import State, open_state
from cutline.engine.stats import RunStats
from cutline.engine.totals import RunClock, Totals
from cutline.errors import ConfigError, CutlineError, SinkError
from cutline.interfaces import Sink, Source
from cutline.job import Job
from cutline.locations.fetched import FetchedPictures
from cutline.sinks.sidecar import EDITED
from cutline.sources.outputs import RunPaths
from cutline.worker_threads import in_thread

if TYPE_CHECKING:
    from cutline.filters.selection import PictureRules

REPORT = "report.json"
TOTALS = "totals.json"

log = logging.getLogger("cutline.engine")

# Captions that are published within a second or two; with more, an interrupted run does not publish.
_QUICK_TO_PUBLISH = 100_000


@dataclasses.dataclass(slots=True)
class JobRun:
    """One run in three parts: plan what is left, work through it as a shard, publish the output."""

    job: Job
    paths: RunPaths
    chain: Chain
    stages: StageRunner
    rules: PictureRules | None
    progress: ProgressHook
    stop: Stop
    replies: ReplySource | None
    sink: Sink | None
    executor: Executor
    prices: Prices = dataclasses.field(init=False)
    input_file: InputFile = dataclasses.field(init=False)
    clock: RunClock = dataclasses.field(default_factory=RunClock)
    loading: float = 0.0
    rejected: int = 0
    fetched: FetchedPictures | None = None
    earlier: Totals = dataclasses.field(default_factory=Totals)
    stats: RunStats = dataclasses.field(default_factory=RunStats)
    kept: KeptPrompts = dataclasses.field(default_factory=KeptPrompts)

    def __post_init__(self) -> None:
        self.prices = assembly.prices_for(self.job, self.chain)
        self.input_file = InputFile.at(self.job.input_path)

    @property
    def output(self) -> str:
        return self.paths.output.given

    async def run(self, source: Source) -> Report:
        with open_state(self.output, self.job.run.state, Path(self.paths.failures.given)) as state:
            loop = asyncio.get_running_loop()
            state.on_failure(lambda error: loop.call_soon_threadsafe(self.stop.request, error))
            if state.brought_from:
                self.progress(Progress(waiting_for=f"continuing from {state.brought_from}"))
            if self.replies is None:
                refuse_open(state)
            else:
                await self.replies.open(state)
            journal = Journal(state.folder / "journal.jsonl")
            try:
                await in_thread(journal.load)
                if lines := journal.damaged_lines:
                    log.warning("journal damaged_lines=%d; their pictures are captioned again", lines)
                return await self._with_journal(source, state, journal)
            finally:
                journal.close()
                if self.fetched is not None:
                    self.fetched.close()

    async def _select(self, rules: PictureRules, source: Source, folder: Path) -> Source:
        """The source without the pictures that the rules reject."""
        from cutline.engine.selection import SelectedSource, select

        if isinstance(self.executor, LocalExecutor) and self.replies is None:
            self.fetched = FetchedPictures(folder)
        source = await select(
            self.job, rules, source, folder, progress=self.progress, stop=self.stop, fetched=self.fetched
        )
        self.rejected = source.selection.rejected if isinstance(source, SelectedSource) else 0
        return source

    async def _with_journal(self, source: Source, state: State, journal: Journal) -> Report:
        self.earlier = Totals.from_json(state.read(TOTALS))
        output = self._begin(state, journal, source)
        result = None
        try:
            if self.rules is not None:
                source = await self._select(self.rules, source, state.folder)
            open_models = functools.partial(self._open_models, output, journal)
            plan = await plan_run(self.job, source, output, self.stop, open_models)
            self.stats = RunStats(
                before=copy.deepcopy(output.counts),
                causes=copy.deepcopy(output.causes),
                spent=journal.spent,
                paid=journal.paid,
                models=self.chain.models,
            )
            if plan is not None:
                if self.stages.remembers:
                    await in_thread(lambda: self.stages.remember(journal.captions()))
                await in_thread(journal.start)
                state.remove(REPORT)
                result = await self._shard(plan, journal, output)
            stopped = _checked(self.stop.reason)
            if result is not None and result.complete and isinstance(stopped, Interrupted):
                stopped = None  # nothing was left to stop
            await self._publish(output, stopped, begun=result is not None)
            if self.job.run.on_change == "keep":
                self.kept = await in_thread(lambda: KeptPrompts.of(self.chain, journal.captions()))
        except BaseException:
            output.close()
            raise
        self._save_totals(state)
        report = self._report(result, output, journal, state.folder, stopped)
        noted = (*self.input_file.remarks(), *self.executor.warnings(source), *output.sink.warnings)
        left_over = tuple(self.executor.left_over(source))
        report = dataclasses.replace(report, warnings=noted, left_over=left_over)
        state.write(REPORT, report.to_json())
        if self.replies and stopped is None:
            await self.replies.done(report)
        return report

    def _begin(self, state: State, journal: Journal, source: Source) -> OrderedOutput:
        """Begin a run in the journal, unless its settings are refused; the output stays closed."""
        job, replies, stages = self.job, self.replies, self.stages
        sink = self.sink or job_output.sink_of(job, self.output, state, self.chain, source)
        fingerprint = replies.fingerprint if replies else assembly.fingerprint_of(job, self.chain, stages)
        if job.run.max_cost is not None:
            assembly.check_prices(self.prices, journal.spent)
        assembly.begin_journal(journal, job, fingerprint, self.chain, stages)
        lists = job_output.lists_of(job, self.paths, state.folder)
        form = job_output.form_of(job, self.output) | (replies.form if replies else {})
        contents = reader_for(self.chain, sink)
        save = functools.partial(self._save_totals, state)
        return OrderedOutput(sink, lists, state, journal, contents=contents, form=form, on_commit=save)

    @property
    def totals(self) -> Totals:
        """Those of this run so far."""
        fresh = self.stats.fresh
        return Totals(
            runs=1,
            start=self.clock.start,
            seconds=self.clock.seconds,
            pictures=fresh.captions + fresh.failures,
            captions=fresh.captions,
            latencies=self.stats.latencies,
            retries=Counter(self.executor.retries),
        )

    def _save_totals(self, state: State) -> None:
        """Keep the totals of all runs, also of one that is killed."""
        state.write(TOTALS, (self.earlier + self.totals).to_json())

    async def _open_models(self, output: OrderedOutput, journal: Journal) -> None:
        """Load what takes minutes, after all other checks, unless the run is stopped meanwhile."""
        begun = time.monotonic()
        loop = asyncio.get_running_loop()

        def say(line: str) -> None:
            loop.call_soon_threadsafe(self.progress, Progress(waiting_for=line))

        rules = assembly.rules_of_run(self.job, output.sink)
        terms = Terms(rules=rules, stages=self.stages, sink=output.sink, trusted=journal.trusted)
        opened = await until_stopped(self.executor.open(say, terms), self.stop)
        if opened is not None:
            opened.result()
        self.loading = time.monotonic() - begun

    async def _shard(self, plan: Plan, journal: Journal, output: OrderedOutput) -> ShardResult:
        """Work through what is left, and report progress meanwhile."""
        task, stats, limits = plan.task, self.stats, self.job.run
        budget = Budget(limits.budget_tokens, limits.max_cost, prices=self.prices, stats=stats)
        host = ShardHost(journal=journal, slots=budget, stats=stats, stop=self.stop, fetched=self.fetched)
        counting = in_thread(sample_count, task.source, task.stop)
        reporter = ProgressReporter(
            hook=self.progress,
            stats=stats,
            workload=self.executor,
            prices=self.prices,
            first=task.start,
            total=lambda: counting.result() if counting.done() else None,
        )
        reporting = asyncio.create_task(reporter.run())
        try:
            return await self.executor.run(plan, output, host)
        finally:
            reporting.cancel()
            await asyncio.gather(reporting, return_exceptions=True)
            reporter.report()
            counting.cancel()

    async def _publish(self, output: OrderedOutput, stopped: CutlineError | None, *, begun: bool) -> None:
        leaving = isinstance(stopped, Interrupted) and output.counts.captions > _QUICK_TO_PUBLISH
        if leaving or not begun:
            await in_thread(output.close)
        else:
            await in_thread(output.publish, finished=stopped is None)

    def _report(
        self,
        result: ShardResult | None,
        output: OrderedOutput,
        journal: Journal,
        folder: Path,
        stopped: CutlineError | None,
    ) -> Report:
        stats, known = self.stats, self.stats.known
        # Pictures that a rule rejects now, or whose text was edited, are not gone.
        seen = stats.before.captions + stats.resumed.captions + output.counts.reasons[EDITED]
        left_out = journal.captioned - self.rejected - seen - stats.changed
        return Report(
            job=self.job,
            output=absolute(self.output),
            outputs=places(output.outputs),
            state=str(folder),
            model=self.chain.name,
            prompts=tuple(step.prompt.id for step in self.chain.steps),
            prompt_texts={
                step.prompt.id: step.prompt.to_json()
                for step in self.chain.steps
                if step.captioner.profile.instructable
            },
            counts=output.counts,
            known=known,
            causes=stats.causes.by_kind(),
            stages=self.stages.summaries(known),
            failed_checks=(failed := failed_checks(self.stages, output.counts)),
            same_again=bool(failed) and writes_the_same(self.job, self.chain),
            first=tuple(output.first),
            failed=tuple(output.failed),
            fresh=stats.fresh,
            spent=stats.spent.usage,
            cost=self.prices.of(stats.spent),
            seconds=self.clock.seconds - self.loading,
            end=self.clock.end,
            totals=self.totals,
            all_totals=self.earlier + self.totals,
            loading_seconds=self.loading,
            requests_resumed=(stats.before + stats.resumed).total,
            changed=stats.changed,
            replaced=stats.replaced,
            unchecked=stats.unchecked,
            first_replaced=tuple(stats.first_replaced),
            kept_prompts=self.kept,
            left_out=max(0, left_out) if result and not stopped else 0,
            waiting=result.waiting if result and stopped else 0,
            stopped=stopped,
            allow_failures=self.job.run.allow_failures,
            on_missing=self.job.run.on_missing,
            slowdown=self.executor.slowdown,
        )


def _checked(reason: CutlineError | None) -> CutlineError | None:
    """Why the run stopped; an output or input that cannot be used is raised instead."""
    if isinstance(reason, SinkError | ConfigError):
        raise reason
    return reason
