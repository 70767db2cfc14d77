"""One job from start to end: take the state folder, go on where the last run ended, report."""

from __future__ import annotations

import dataclasses
import logging
import time
from pathlib import Path
from typing import Protocol

from cutline.chain import Chain
from cutline.credentials import Secret
from cutline.engine import assembly
from cutline.engine.batch_manifest import refuse_open
from cutline.engine.cancellation import Stop
from cutline.engine.fingerprint import Fingerprint, mended_by
from cutline.engine.journal import Journal
from cutline.engine.model_open import open_or_stop
from cutline.engine.output import OrderedOutput, Reorder
from cutline.engine.prefetch import Prefetch
from cutline.engine.progress import Counts, ProgressHook
from cutline.engine.report import Interrupted, Report
from cutline.engine.resume import count_of, left_of, peeked
from cutline.engine.sample_pipeline import Captioning, Rules
from cutline.engine.shard import Loop
from cutline.engine.stage_runner import StageRunner
from cutline.engine.state import State, failures_file, state_folder
from cutline.errors import ConfigError, CutlineError, OutputExists, OutputGone, SinkError
from cutline.interfaces import Source
from cutline.job import Job
from cutline.locations.loader import PictureLoader
from cutline.records import JSON
from cutline.sinks.failures import FailuresSink
from cutline.sinks.options import SinkOptions
from cutline.storage import is_url
from cutline.worker_threads import in_thread, worker_threads

REPORT = "report.json"

log = logging.getLogger("cutline.engine")

# Captions that are made into any format in a second or two: more keep somebody waiting who wants to leave.
_QUICKLY_SHOWN = 100_000


class Answers(Protocol):
    """Answers that were asked for earlier, which a run takes in instead of asking."""

    chain: Chain
    fingerprint: Fingerprint

    async def open(self, state: State) -> None:
        """Get them, now that the output's folder is ours; ``form`` is known from then on."""

    @property
    def form(self) -> JSON:
        """What decides the output besides the job."""

    def captioning(self, rules: Rules, loader: PictureLoader, stages: StageRunner) -> Captioning: ...

    async def done(self, report: Report) -> None:
        """Called when all of them are in the journal, and the output is written."""


async def run_job(
    job: Job,
    *,
    source: Source | None = None,
    key: Secret | None = None,
    progress: ProgressHook | None = None,
    stop: Stop | None = None,
    answers: Answers | None = None,
    failures: Path | None = None,
) -> Report:
    """Caption everything the job's output does not have yet.

    ``source`` takes the place of the one the job's input names, ``answers`` that of asking,
    ``failures`` that of the file beside the output that lists what failed.
    ``stop`` ends the run early and cleanly; the same call later goes on. ``progress`` is called
    about ten times a second from the event loop and must not block.

    Raises:
        ConfigError: the job cannot be run; nothing was asked and no output was touched.
        SinkError: the output cannot be written; what was paid for is in the journal.
    """
    job.check()
    progress, stop = progress or (lambda _: None), stop or Stop()
    chain = answers.chain if answers else assembly.chain_of(job, key)
    stages = assembly.stages_of(job)
    with worker_threads():
        try:
            run = _Run(job, chain, stages, progress, stop, answers, failures)
            return await run.run(source or assembly.source_of(job))
        finally:
            await chain.aclose()
            await stages.aclose()


class _Run:
    def __init__(
        self,
        job: Job,
        chain: Chain,
        stages: StageRunner,
        progress: ProgressHook,
        stop: Stop,
        answers: Answers | None,
        failures: Path | None,
    ) -> None:
        self._job = job
        self._chain = chain
        self._stages = stages
        self._progress = progress
        self._stop = stop
        self._answers = answers
        self._failures = failures
        self._prices = assembly.prices_for(job, chain)
        self._output = assembly.output_of(job)
        self._start = time.monotonic()
        self._loading = 0.0
        self._reorder: Reorder | None = None

    async def run(self, source: Source) -> Report:
        folder = state_folder(self._output, self._job.run.state)
        with State(folder, self._output) as state:
            if self._answers is None:
                refuse_open(state)
            else:
                await self._answers.open(state)
            journal = Journal(folder / "journal.jsonl")
            try:
                await in_thread(journal.load)
                if journal.damaged_lines:
                    log.warning(
                        "journal lines=%d damaged: their pictures are asked again", journal.damaged_lines
                    )
                return await self._with_state(source, state, journal)
            finally:
                journal.close()

    async def _with_state(self, source: Source, state: State, journal: Journal) -> Report:
        job, answers, stages = self._job, self._answers, self._stages
        sink = assembly.sink_of(job, self._output, state.folder)
        fingerprint = answers.fingerprint if answers else assembly.fingerprint_of(job, self._chain, stages)
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
        form = assembly.form_of(job, self._output) | (answers.form if answers else {})
        output = OrderedOutput(sink, failures, state, journal, form=form)
        try:
            loop = await self._work(source, state, journal, output)
            stopped = _checked(self._stop.reason)
            if loop is not None and loop.complete and isinstance(stopped, Interrupted):
                stopped = None  # nothing was left to stop
            if loop is None or (isinstance(stopped, Interrupted) and output.counts.captions > _QUICKLY_SHOWN):
                await in_thread(output.close)
            else:
                await in_thread(output.publish, finished=stopped is None)
        except BaseException:
            output.close()
            raise
        report = self._report(loop, output, journal, state.folder, stopped)
        report = dataclasses.replace(report, warnings=(*source.warnings, *sink.warnings))
        state.write(REPORT, report.to_json())
        if answers and stopped is None:
            await answers.done(report)
        return report

    async def _work(
        self, source: Source, state: State, journal: Journal, output: OrderedOutput
    ) -> Loop | None:
        """Caption what the output does not have, until nothing is left or the run is stopped.

        None when it was stopped before the output was opened.
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
        self._reorder = reorder = Reorder(state.folder, first=keys.count if keys else 0, after=output)
        feed = Prefetch(samples, batch=job.input.reader_batch_size, first=reorder.next)
        keep_raw = assembly.keeps_raw(job, self._output)
        rules = assembly.rules_of(job, output.sink, journal, keep_raw=keep_raw)
        opener = assembly.loader_of(job)
        if self._answers is None:
            captioning = Captioning(self._chain, rules, opener, self._stages)
        else:
            captioning = self._answers.captioning(rules, opener, self._stages)
        loop = Loop(
            feed=feed,
            captioning=captioning,
            journal=journal,
            output=output,
            reorder=reorder,
            limits=assembly.limits_of_run(job, self._prices),
            stop=self._stop,
        )
        counting = in_thread(count_of, source, limit)
        try:
            await loop.run(self._progress, lambda: counting.result() if counting.done() else None)
        finally:
            counting.cancel()
            feed.close()
            reorder.close()
            await captioning.aclose()
        return loop

    async def _open_models(self) -> None:
        """What takes minutes, after all that may be refused, and only where something is left to ask."""
        begun = time.monotonic()
        for part in (self._chain, self._stages):
            await open_or_stop(part, self._progress, self._stop)
        self._loading = time.monotonic() - begun

    def _report(
        self,
        loop: Loop | None,
        output: OrderedOutput,
        journal: Journal,
        folder: Path,
        stopped: CutlineError | None,
    ) -> Report:
        fresh = loop.fresh if loop else Counts()
        spent = loop.spent if loop else journal.spent
        known = self._reorder or output
        return Report(
            output=_whole(self._output),
            outputs=tuple(_whole(path) for path in output.outputs if _is_there(path)),
            state=str(folder),
            model=self._chain.name,
            prompts=tuple(step.prompt.id for step in self._chain.steps),
            counts=output.counts,
            known=known.counts,
            causes=known.causes.by_kind(),
            stages=self._stages.summaries(known.counts),
            first=tuple(output.first),
            failed=tuple(output.failed),
            fresh=fresh,
            spent=spent.usage,
            cost=self._prices.of(spent),
            seconds=time.monotonic() - self._start - self._loading,
            loading_seconds=self._loading,
            requests_resumed=loop.resumed if loop else 0,
            changed=loop.changed if loop else 0,
            replaced=loop.replaced if loop else 0,
            first_replaced=tuple(loop.first_replaced) if loop else (),
            left_out=loop.left_out if loop and not stopped else 0,
            waiting=loop.waiting if loop and stopped else 0,
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
