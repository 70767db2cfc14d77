"""The driver of a run on Ray: hands shards to workers, and keeps journal, order, output and budget.

Workers run the same code as a run in one process, on one shard each; what they append and write comes here.
See docs/design/ray.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from cutline.credentials import Secret
from cutline.engine.executor import Executor, Terms
from cutline.engine.output import OrderedOutput
from cutline.engine.plan import Plan
from cutline.engine.selection import SelectedSource
from cutline.engine.shard_task import COMMIT_EVERY, GRACE, ShardHost, ShardResult
from cutline.errors import BudgetSpent, EndpointUnusable, RunStopped, SinkError
from cutline.formatting import plural, printable
from cutline.interfaces import Source
from cutline.job import Job
from cutline.ray.cluster import connect, disconnect, handlers_kept, import_ray, is_full, resolve
from cutline.ray.messages import Batch, Ended
from cutline.ray.records import RunRecords, merged
from cutline.ray.remote_worker import Worker, WorkerLost
from cutline.ray.shards import Shard, Shards
from cutline.ray.team import Team
from cutline.records import Failure, LeftOver, Slowdown
from cutline.worker_threads import in_thread

_log = logging.getLogger(__name__)
_IDLE = 0.05  # seconds between looks for work


class RayEngine(Executor):
    """Runs a job's shards on the workers of a Ray cluster."""

    def __init__(self, job: Job, key: Secret | None) -> None:
        self._address = resolve(job.cluster.address)
        import_ray(self._address)
        self._job = job
        self._team = Team(job, key)
        self._has_connected = False
        self._lines: dict[str, None] = {}
        self._left_over: list[LeftOver] = []

    async def open(self, say: Callable[[str], None], terms: Terms) -> None:
        say("connecting to Ray")
        with handlers_kept():
            where = await in_thread(connect, self._address, self._job.input_path)
        self._has_connected = bool(where)
        say(f"starting workers on {where or 'the Ray of this process'}")
        if await is_full(self._job.cluster):
            say("waiting for room on the cluster, which other jobs use")
        await self._team.open(terms)

    async def run(self, plan: Plan, output: OrderedOutput, host: ShardHost) -> ShardResult:
        job, task = self._job, plan.task
        source = task.source
        whole = source.source if isinstance(source, SelectedSource) else source
        shards = await in_thread(
            lambda: Shards.of(
                whole,
                per_task=job.cluster.samples_per_task,
                workers=self._team.wanted,
                limit=task.stop,
                folder=output.folder,
            )
        )
        run = _Run(self, job, shards, output, host, RunRecords(host.journal, output.sink, task.rules, source))
        try:
            complete = await run.run(self._team)
            return ShardResult(complete=complete, waiting=shards.waiting)
        finally:
            shards.close()

    def note(self, ended: Ended) -> None:
        """Keep what a worker noted while it read its part of the source."""
        self._lines |= dict.fromkeys(ended.warnings)
        self._left_over += ended.left_over

    async def aclose(self) -> None:
        await self._team.aclose()
        if self._has_connected:
            with handlers_kept():
                await in_thread(disconnect)

    @property
    def in_flight(self) -> int:
        return sum(status.in_flight for status in self._team.statuses)

    @property
    def loading(self) -> int:
        return sum(status.loading for status in self._team.statuses)

    @property
    def slots(self) -> int:
        return sum(status.slots for status in self._team.statuses)

    @property
    def slowdown(self) -> Slowdown:
        return sum((status.slowdown for status in self._team.all_statuses), Slowdown())

    @property
    def retries(self) -> Mapping[str, int]:
        return sum((Counter(status.retries) for status in self._team.all_statuses), Counter[str]())

    @property
    def workers(self) -> int:
        return len(self._team.workers)

    @property
    def nodes(self) -> int:
        return len({worker.environment.node for worker in self._team.workers})

    def warnings(self, source: Source) -> Sequence[str]:
        return (*source.warnings, *self._lines)

    def left_over(self, source: Source) -> Sequence[LeftOver]:
        return (*source.left_over, *merged(self._left_over))


@dataclasses.dataclass(slots=True)
class _Run:
    """One run under way."""

    engine: RayEngine
    job: Job
    shards: Shards
    output: OrderedOutput
    host: ShardHost
    records: RunRecords
    ready: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    thread: ThreadPoolExecutor = dataclasses.field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="cutline-sink")
    )

    async def run(self, team: Team) -> bool:
        """True when every sample has its outcome in the output."""
        serving = asyncio.create_task(team.serve(self._serve, self._needs_workers, self.host.stop))
        writing = asyncio.create_task(self._write())
        watching = asyncio.create_task(self._watch(team))
        try:
            done, _ = await asyncio.wait({serving, writing}, return_when=asyncio.FIRST_COMPLETED)
            if writing not in done:
                await serving
                self.ready.set()
            await writing
        finally:
            for task in (serving, writing, watching):
                task.cancel()
            await asyncio.gather(serving, writing, watching, return_exceptions=True)
            self.thread.shutdown()
        return self.shards.are_done

    async def _watch(self, team: Team) -> None:
        """Once the run is stopped, tell the workers, and give them the time that a run here has."""
        await self.host.stop.wait()
        reason = self.host.stop.reason
        if not isinstance(reason, BudgetSpent):
            self.host.slots.halt()
        assert reason is not None
        await team.stop(reason, GRACE)

    def _needs_workers(self) -> bool:
        return self.shards.are_left and not self.host.stop.requested

    async def _serve(self, worker: Worker) -> None:
        """Give a worker shards until none is left; raises what Ray raises when it dies."""
        while not self.host.stop.requested and not self.shards.are_done:
            shard = self.shards.next(self.engine.workers)
            if shard is None:
                if not self.shards.are_left and not self.records.is_busy:
                    return
                await asyncio.sleep(_IDLE)
                continue
            self.records.busy += 1
            try:
                await self._work(worker, shard)
            except BaseException as error:
                if not isinstance(error, WorkerLost):
                    self._note_death(shard)
                self.shards.give_back(shard)
                raise
            finally:
                self.records.busy -= 1

    async def _work(self, worker: Worker, shard: Shard) -> None:
        granting = asyncio.create_task(self._grant(worker)) if self._has_budget else None
        work = shard.work(has_history=self.records.has_history)
        shard.begun = True
        try:
            async for batch in worker.run(work):
                await self._take(worker, shard, batch)
                if batch.ended is not None:
                    self._end(worker, shard, batch.ended)
        finally:
            if granting is not None:
                granting.cancel()
                await asyncio.gather(granting, return_exceptions=True)
            worker.return_grants(self.host.slots)
        if not shard.is_done:
            self.shards.give_back(shard)

    async def _take(self, worker: Worker, shard: Shard, batch: Batch) -> None:
        worker.status = batch.status
        worker.take_back(batch.left, self.host.slots)
        for event in batch.events:
            answer = await self.records.take(event, shard, self.host.stats)
            if answer is not None:
                worker.answer(*answer)
        failed = self.host.stats.many_failed(self.job.run.stop_after_failures)
        if failed is not None:
            self.host.stop.request(failed)
        if shard is self.shards.first:
            self.ready.set()

    def _end(self, worker: Worker, shard: Shard, ended: Ended) -> None:
        stats = self.host.stats
        stats.changed += ended.changed
        stats.unchecked += ended.unchecked
        stats.add_replaced(*ended.first_replaced, count=ended.replaced)
        self.engine.note(ended)
        shard.is_done = ended.complete
        stop = ended.error or ended.stop
        if isinstance(stop, EndpointUnusable) and self.engine.nodes > 1:
            where = f"on the node {worker.environment.host}: {stop}"
            stop = EndpointUnusable(where, kind=stop.kind, status=stop.status)
        if stop is not None:
            self.host.stop.request(stop)
        self.ready.set()

    def _note_death(self, shard: Shard) -> None:
        """A worker died over the shard: another goes on with it, without a picture that kills each.

        Those that were under way when the second died are worked on one at a time: the next death tells
        which of them it is.
        """
        shard.deaths += 1
        suspects = shard.suspects & shard.under_way.keys() or frozenset(shard.under_way)
        if shard.deaths > 1 and len(suspects) == 1:
            (key,) = suspects
            message = f"{plural(shard.deaths, 'worker')} died over this picture"
            _log.warning("picture key=%s: %s", printable(key), message)
            content_id = shard.under_way[key]
            failure = Failure(key=key, kind="worker-died", message=message, attempts=1, content_id=content_id)
            self.records.add_failure(failure, self.host)
            shard.deaths, shard.suspects = 1, frozenset()
        elif shard.deaths > 1:
            shard.suspects = suspects
        shard.under_way = {}

    @property
    def _has_budget(self) -> bool:
        return self.job.run.budget_tokens is not None or self.job.run.max_cost is not None

    async def _grant(self, worker: Worker) -> None:
        """Let the worker begin pictures while the budget of the run lasts."""
        try:
            while True:
                await worker.wait_for_demand()
                await self.host.slots.take()
                worker.grant()
        except RunStopped as error:
            self.host.stop.request(error)

    async def _write(self) -> None:
        """Write outcomes to the output in order, and make it durable about once a second."""
        loop, last = asyncio.get_running_loop(), time.monotonic()
        try:
            while (shard := self.shards.first) is not None:
                entries = shard.entries.take()
                if entries:
                    lost = await loop.run_in_executor(self.thread, self.output.write, entries)
                    self.host.stats.add_unwritten(lost)
                    shard.written += len(entries)
                elif shard.is_done:
                    self.shards.step()
                elif self.host.stop.requested and not self.records.is_busy:
                    break
                else:
                    self.ready.clear()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_IDLE):
                            await self.ready.wait()
                if time.monotonic() - last >= COMMIT_EVERY:
                    await loop.run_in_executor(self.thread, self.output.commit)
                    last = time.monotonic()
            await loop.run_in_executor(self.thread, self.output.commit)
        except SinkError as error:
            self.host.stop.request(error)
            raise
