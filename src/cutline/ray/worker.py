"""The worker: an actor that processes shards with the code of a local run."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import platform
import time
from collections.abc import AsyncIterator, Iterator

from cutline.captioners.pool import CaptionerPool
from cutline.credentials import Secret
from cutline.engine import assembly
from cutline.engine.cancellation import Stop
from cutline.engine.check_retries import retries_of
from cutline.engine.pipeline_observer import PipelineObserver
from cutline.engine.repeats import RequestId, Shared, request_id
from cutline.engine.sample_pipeline import SamplePipeline
from cutline.engine.shard import run_shard
from cutline.engine.shard_task import ShardHost, ShardResult, ShardTask
from cutline.engine.stage_runner import StageRunner
from cutline.engine.stats import RunStats
from cutline.errors import ConfigError, CutlineError
from cutline.formatting import one_line
from cutline.imaging import Picture
from cutline.ray.comparisons import RemoteCheck
from cutline.ray.messages import (
    Announcement,
    Batch,
    Ended,
    Environment,
    Event,
    Setup,
    ShardWork,
    Status,
)
from cutline.ray.node_check import problem_here
from cutline.ray.outbox import Outbox
from cutline.ray.proxies import WorkerJournal, WorkerOutput, WorkerSink, WorkerSlots
from cutline.ray.worker_log import send_log
from cutline.records import Outcome, Sample, Step
from cutline.version import __version__

_LARGE_BATCH = 256  # events that do not wait so long
_LOOK_EVERY = 0.01


class ShardWorker:
    """Runs one shard at a time for a driver. ``cutline.ray.messages`` defines their messages."""

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
        send_log(self._outbox, setup.log_level)

    async def environment(self) -> Environment:
        """The node and versions of this worker; ``problem`` names what is missing here, in one line."""
        import ray

        context, setup = ray.get_runtime_context(), self._setup
        return Environment(
            node=context.get_node_id(),
            host=platform.node(),
            pid=os.getpid(),
            cutline=__version__,
            python=platform.python_version(),
            problem=problem_here(setup.folder, setup.files, setup.inputs),
        )

    async def open(self) -> CutlineError | None:
        """Load the model and what stages need; returns the error that prevents it."""
        setup = self._setup
        try:
            assembly.prepare(setup.job)
            chain = assembly.chain_of(setup.job, self._key, pool=self._pool)
            stages = assembly.stages_of(setup.job)
            checks = [RemoteCheck(one, self._outbox) if one.remembers else one for one in stages.checks]
            stages = StageRunner(stages.filters, checks)
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
        if setup.keeps_captions:
            self._pipeline.outputs = self._journal
        return None

    async def run(self, work: ShardWork) -> AsyncIterator[Batch]:
        """Work through a shard; yields what happened, about each ``flush_every`` seconds."""
        assert self._pipeline is not None, "open comes first"
        self._pipeline.is_watched, self._pipeline.suspects = work.is_watched, work.suspects
        self._stop = Stop()
        self._slots.greet()
        stats = RunStats(models=self._pipeline.chain.models)
        working = asyncio.create_task(self._run_shard(work, stats))
        last = time.monotonic()
        while not working.done():
            await asyncio.wait({working}, timeout=_LOOK_EVERY)
            urgent = self._outbox.is_urgent or len(self._outbox) >= _LARGE_BATCH
            if (
                urgent
                or (work.is_watched and len(self._outbox))
                or time.monotonic() - last >= work.flush_every
            ):
                last = time.monotonic()
                yield self._batch()
        yield self._batch(self._ended(working, work, stats))

    async def _run_shard(self, work: ShardWork, stats: RunStats) -> ShardResult:
        setup = self._setup
        assert self._pipeline is not None, "open comes first"
        task = ShardTask(
            job=setup.job, source=work.source, rules=setup.rules, start=work.start, stop=work.stop
        )
        samples: Iterator[Sample] = task.samples()
        self._journal.begin()
        shares = work.source.has_repeats and self._pipeline.can_share
        if work.has_history or setup.keeps_captions or shares:
            samples = self._journal.with_history(samples, self._request if shares else _no_request)
        host = ShardHost(journal=self._journal, slots=self._slots, stats=stats, stop=self._stop)
        output = WorkerOutput(self._outbox, self._journal, needs_picture=setup.needs_picture)
        return await run_shard(task, self._pipeline, output, host, samples)

    def _request(self, sample: Sample) -> RequestId | None:
        """The request of a sample, which others may share."""
        if sample.location is None:
            return None
        assert self._pipeline is not None
        return request_id(sample.key, self._pipeline.contents.content(sample).id())

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

    async def answer(self, number: int, answer: object) -> None:
        """The answer to a question."""
        self._outbox.answer(number, answer)

    async def grant(self, count: int) -> None:
        """Allow more pictures to be begun within the budget."""
        self._slots.grant(count)

    async def greet(self) -> None:
        """Note a sign of life of the driver."""
        self._slots.greet()

    async def share(self, requests: int) -> None:
        """Set the limit of concurrent requests; returns once no more are in progress."""
        self._pool.limit_to(requests)
        while self._pool.in_flight > requests:  # noqa: ASYNC110 - of which no captioner says when they end
            await asyncio.sleep(_LOOK_EVERY)

    async def stop(self, reason: CutlineError) -> None:
        """Stop the current shard early, as a local run is stopped."""
        self._stop.request(reason)
        self._outbox.stop()

    async def aclose(self) -> tuple[Event, ...]:
        """Close the model; returns the events since the last batch."""
        if self._pipeline is not None:
            await self._pipeline.aclose()
            await self._pipeline.chain.aclose()
            await self._pipeline.stages.aclose()
        return self._outbox.take()


class _WorkerPipeline(SamplePipeline):
    """Announces samples of a shard that killed workers; one at a time while some of them are suspected.

    ``outputs`` knows what the output has for samples, where it may have captions already.
    """

    outbox: Outbox
    outputs: WorkerJournal | None = None
    is_watched = False
    suspects: frozenset[str] = frozenset()

    async def caption(
        self,
        sample: Sample,
        known: tuple[Step, ...] = (),
        observer: PipelineObserver | None = None,
        shared: Shared | None = None,
    ) -> tuple[Outcome, Picture | None]:
        if self.outputs is not None and self.outputs.get(sample.key) is not None:
            await self.outputs.renew(sample)
        if not self.is_watched:
            return await super().caption(sample, known, observer, shared)
        async with self._alone if self.suspects else contextlib.nullcontext():
            content_id = self.contents.content(sample).id()
            announce = functools.partial(Announcement, key=sample.key, content_id=content_id)
            await self.outbox.ask(lambda number: announce(number=number))
            made = await super().caption(sample, known, observer, shared)
            self.suspects -= {sample.key}
            return made

    @property
    def _alone(self) -> asyncio.Lock:
        lock = self.__dict__.setdefault("_lock", asyncio.Lock())
        assert isinstance(lock, asyncio.Lock)
        return lock


def _no_request(sample: Sample) -> None:
    """That of a sample which shares its request with none."""
