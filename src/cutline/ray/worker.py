"""A worker: the actor that brings shards to their outcomes, with the same code as a run in one process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

from cutline.captioners.pool import CaptionerPool
from cutline.credentials import Secret
from cutline.engine import assembly
from cutline.engine.cancellation import Stop
from cutline.engine.check_retries import retries_of
from cutline.engine.pipeline_observer import PipelineObserver
from cutline.engine.repeats import Shared
from cutline.engine.sample_pipeline import SamplePipeline
from cutline.engine.shard import run_shard
from cutline.engine.shard_task import ShardHost, ShardResult, ShardTask
from cutline.engine.stats import RunStats
from cutline.errors import ConfigError, CutlineError
from cutline.files import content_digest
from cutline.formatting import one_line
from cutline.imaging import Picture
from cutline.ray.messages import (
    Announcement,
    Batch,
    Ended,
    Environment,
    Known,
    Setup,
    ShardWork,
    Status,
)
from cutline.ray.proxies import Outbox, WorkerJournal, WorkerOutput, WorkerSink, WorkerSlots
from cutline.records import Outcome, Sample, Step
from cutline.version import __version__

FLUSH_EVERY = 0.2  # seconds in which an outcome has left the worker; a killed one loses what has not
_LARGE_BATCH = 256  # events that do not wait so long
_LOOK_EVERY = 0.01


class ShardWorker:
    """Runs one shard at a time for a driver; see ``cutline.ray.messages`` for what both send."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._pool = CaptionerPool()
        self._outbox = Outbox()
        self._slots = WorkerSlots(has_budget=setup.has_budget)
        self._stop = Stop()
        self._pipeline: _WorkerPipeline | None = None
        self._key = Secret(setup.key) if setup.key else None
        for name, value in setup.key_variables.items():
            os.environ.setdefault(name, value)

    async def environment(self) -> Environment:
        """Where this is; ``problem`` names what is missing here, as one line."""
        import ray

        context, problem = ray.get_runtime_context(), ""
        try:
            os.chdir(self._setup.folder)
        except OSError:
            problem = f"the folder {self._setup.folder} is not there; start from one that all nodes share"
        for path, digest in self._setup.files.items():
            if not problem and _digest(path) != digest:
                problem = f"{path} is missing or another file; put it where all nodes share it"
        return Environment(
            node=context.get_node_id(),
            host=platform.node(),
            pid=os.getpid(),
            cutline=__version__,
            python=platform.python_version(),
            problem=problem,
        )

    async def open(self) -> CutlineError | None:
        """Load the model and what stages need; returns what makes that impossible."""
        setup = self._setup
        try:
            chain = assembly.chain_of(setup.job, self._key, pool=self._pool)
            stages = assembly.stages_of(setup.job)
            await chain.open(lambda _: None)
            await stages.open(lambda _: None)
        except CutlineError as error:
            return error
        except MemoryError:
            return ConfigError("the model needs more memory than a worker has")
        self._journal = WorkerJournal(self._outbox, trusted=setup.trusted)
        sink = WorkerSink(self._journal, keeps_captions=setup.keeps_captions)
        self._pipeline = _WorkerPipeline(
            chain,
            setup.rules,
            stages,
            retries=retries_of(setup.job, chain, stages),
            journal=self._journal,
            sink=sink if setup.keeps_captions else None,
        )
        self._pipeline.outbox = self._outbox
        return None

    async def run(self, work: ShardWork) -> AsyncIterator[Batch]:
        """Work through a shard; yields what happened, about each ``FLUSH_EVERY`` seconds."""
        assert self._pipeline is not None, "open comes first"
        self._pipeline.is_watched, self._pipeline.suspects = work.is_watched, work.suspects
        self._stop = Stop()
        self._slots.greet()
        stats = RunStats(models=self._pipeline.chain.models)
        working = asyncio.create_task(self._run_shard(work, stats))
        last = time.monotonic()
        while not working.done():
            await asyncio.wait({working}, timeout=_LOOK_EVERY)
            urgent = work.is_watched or work.has_history or len(self._outbox) >= _LARGE_BATCH
            if (urgent and len(self._outbox)) or time.monotonic() - last >= FLUSH_EVERY:
                last = time.monotonic()
                yield self._batch()
        yield self._batch(self._ended(working, work, stats))

    async def _run_shard(self, work: ShardWork, stats: RunStats) -> ShardResult:
        setup = self._setup
        task = ShardTask(
            job=setup.job, source=work.source, rules=setup.rules, start=work.start, stop=work.stop
        )
        samples: Iterator[Sample] = task.samples()
        if work.has_history or setup.keeps_captions:
            samples = self._journal.with_history(samples)
        host = ShardHost(journal=self._journal, slots=self._slots, stats=stats, stop=self._stop)
        output = WorkerOutput(self._outbox, self._journal, needs_picture=setup.needs_picture)
        assert self._pipeline is not None
        return await run_shard(task, self._pipeline, output, host, samples)

    def _ended(self, working: asyncio.Task[ShardResult], work: ShardWork, stats: RunStats) -> Ended:
        error: CutlineError | None = None
        complete = False
        try:
            complete = working.result().complete
        except CutlineError as caught:
            error = caught
        except Exception as caught:  # noqa: BLE001 - a bug must reach the driver as one line
            error = CutlineError(f"a worker failed: {type(caught).__name__}: {one_line(caught)}")
        return Ended(
            complete=complete,
            stop=self._stop.reason,
            error=error,
            warnings=tuple(work.source.warnings),
            left_over=tuple(work.source.left_over),
            changed=stats.changed,
            unchecked=stats.unchecked,
            replaced=stats.replaced,
            first_replaced=tuple(stats.first_replaced),
        )

    def _batch(self, ended: Ended | None = None) -> Batch:
        assert self._pipeline is not None
        chain = self._pipeline.chain
        status = Status(
            in_flight=chain.in_flight,
            loading=self._pipeline.downloads,
            slots=chain.slots,
            slowdown=chain.slowdown,
            retries=chain.retries,
        )
        events = self._outbox.take()
        return Batch(
            events=events,
            status=status,
            left=self._slots.returned(unused=ended is not None),
            ended=ended,
        )

    async def answer(self, number: int, known: Mapping[str, Known]) -> None:
        """What the driver knows of the samples of a ``Lookup``, or its leave for an ``Announcement``."""
        self._outbox.answer(number, known)

    async def grant(self, count: int) -> None:
        """So many more pictures may be begun within the budget."""
        self._slots.grant(count)

    async def greet(self) -> None:
        """The driver is there."""
        self._slots.greet()

    async def share(self, requests: int) -> None:
        """Send at most so many requests at once from now on; returns when there are no more under way."""
        self._pool.limit_to(requests)
        while self._pool.in_flight > requests:  # noqa: ASYNC110 - of which no captioner says when they end
            await asyncio.sleep(_LOOK_EVERY)

    async def stop(self, reason: CutlineError) -> None:
        """End the shard under way early, as a run in one process would."""
        self._stop.request(reason)
        self._outbox.stop()

    async def aclose(self) -> None:
        """Free the model."""
        if self._pipeline is not None:
            await self._pipeline.aclose()
            await self._pipeline.chain.aclose()
            await self._pipeline.stages.aclose()


class _WorkerPipeline(SamplePipeline):
    """Announces samples of a shard over which workers died, and works on the suspected ones one at a time."""

    outbox: Outbox
    is_watched = False
    suspects: frozenset[str] = frozenset()

    async def caption(
        self,
        sample: Sample,
        known: tuple[Step, ...] = (),
        observer: PipelineObserver | None = None,
        shared: Shared | None = None,
    ) -> tuple[Outcome, Picture | None]:
        if not self.is_watched:
            return await super().caption(sample, known, observer, shared)
        async with self._alone if sample.key in self.suspects else contextlib.nullcontext():
            content_id = self.contents.content(sample).id()
            number, leave = self.outbox.question()
            self.outbox.add(Announcement(number=number, key=sample.key, content_id=content_id))
            await asyncio.wrap_future(leave)
            return await super().caption(sample, known, observer, shared)

    @property
    def _alone(self) -> asyncio.Lock:
        lock = self.__dict__.setdefault("_lock", asyncio.Lock())
        assert isinstance(lock, asyncio.Lock)
        return lock


def _digest(path: str) -> str:
    try:
        return content_digest(Path(path).read_bytes())
    except OSError:
        return ""
