"""A generation: a job of the engine that captions rows; it can be stopped and continued."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

from cutline.dataset.writer import Progress, StopEdit
from cutline.engine.cancellation import Stop
from cutline.engine.progress import Progress as RunProgress
from cutline.engine.report import Report
from cutline.engine.run import run_job
from cutline.errors import RunStopped
from cutline.job import Job
from cutline.model_runtime import Runtime
from cutline.studio.generation.sink import HistorySink
from cutline.studio.generation.source import RowSource
from cutline.studio.generation.unfinished import keep_rest

_LOOK_EVERY = 0.1  # seconds


class Stopped(RunStopped):
    """The generation was stopped by a person."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GenerationResult:
    """The result of a generation. ``edit``: its number in the history. ``left``: pictures not reached.

    ``proposed``: those of ``captions`` that were proposed instead of written, as the original captions had
    changed. ``stopped``: why it ended early; the same request continues it. ``cost`` in US dollars, None
    without a price.
    """

    summary: str
    edit: int | None
    captions: int
    proposed: int
    skips: int
    failures: int
    kinds: dict[str, int]
    left: int
    stopped: str
    tokens: int
    cost: float | None
    seconds: float


class Generation:
    """Captions a source with a job whose journal is in ``state``, where it can be continued later."""

    def __init__(self, source: RowSource, sink: HistorySink, job: Job, state: Path) -> None:
        self._source, self._sink = source, sink
        self._job, self._state = job, state
        self._total = source.count()
        self._latest = RunProgress(total=self._total)

    def figures(self) -> dict[str, Any]:
        """The progress, for the pages."""
        now = self._latest
        return {
            "captions": now.captions,
            "failures": now.failures,
            "skips": now.skips,
            "kinds": dict(self._sink.kinds),
            "rate": round(now.rate, 3),
            "eta": now.eta,
            "tokens": now.tokens,
            "cost": now.cost,
            "waiting_for": now.waiting_for or now.slowed,
        }

    def run(self, runtime: Runtime, progress: Progress) -> GenerationResult:
        """Blocks until all rows have an outcome or ``progress`` raises StopEdit; raises as ``run_job``."""
        return runtime.loop.run(self._run(runtime, progress))

    async def _run(self, runtime: Runtime, progress: Progress) -> GenerationResult:
        stop = Stop()
        watching = asyncio.create_task(self._watch(stop, progress))
        try:
            report = await run_job(
                self._job,
                source=self._source,
                sink=self._sink,
                progress=self._note,
                stop=stop,
                pool=runtime.pool,
                failures=self._state / "failures.jsonl",
            )
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        await asyncio.to_thread(keep_rest, self._state, self._sink.committed)
        return self._result(report)

    async def _watch(self, stop: Stop, progress: Progress) -> None:
        try:
            while True:
                progress(self._latest.done)
                await asyncio.sleep(_LOOK_EVERY)
        except StopEdit:
            stop.request(Stopped("stopped"))

    def _note(self, progress: RunProgress) -> None:
        if progress.waiting_for and not progress.total:
            progress = dataclasses.replace(self._latest, waiting_for=progress.waiting_for)
        self._latest = progress

    def _result(self, report: Report) -> GenerationResult:
        counts = report.counts
        return GenerationResult(
            summary=self._sink.info.summary,
            edit=self._sink.edit,
            captions=counts.captions,
            proposed=self._sink.proposed(counts.captions),
            skips=counts.skips,
            failures=counts.failures,
            kinds=dict(counts.kinds),
            left=self._total - counts.total,
            stopped="" if report.stopped is None else str(report.stopped),
            tokens=report.spent.total,
            cost=report.cost,
            seconds=report.seconds,
        )
