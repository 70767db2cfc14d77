"""The driver's loop: shards go to workers, their outcomes to journal, counts and, in order, the output."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from cutline.engine.budget import has_budget
from cutline.engine.output import OrderedOutput
from cutline.engine.shard_task import COMMIT_EVERY, GRACE, ShardHost
from cutline.errors import BudgetSpent, EndpointUnusable, ManyFailed, RunStopped, SinkError
from cutline.formatting import plural, printable
from cutline.job import Job
from cutline.ray.messages import FLUSH_EVERY, Batch, Ended, flush_interval
from cutline.ray.placement import cause_of
from cutline.ray.records import RunRecords
from cutline.ray.remote_worker import NodeUnfit, Worker, WorkerLost
from cutline.ray.shards import Shard, Shards
from cutline.ray.team import Team
from cutline.records import Failure

_log = logging.getLogger(__name__)
_MOST_FATAL = 5  # pictures in a row over which workers may die
_IDLE = 0.05  # seconds between looks for work


@dataclasses.dataclass(slots=True, kw_only=True)
class Run:
    """One run under way; ``note`` gets what a worker noted while it read its part of the source."""

    job: Job
    team: Team
    shards: Shards
    output: OrderedOutput
    host: ShardHost
    records: RunRecords
    note: Callable[[Shard, Ended], None]
    ready: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    thread: ThreadPoolExecutor = dataclasses.field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="cutline-sink")
    )

    async def run(self) -> bool:
        """True when every sample has its outcome in the output."""
        serving = asyncio.create_task(self.team.serve(self._serve, self._needs_workers, self.host.stop))
        writing = asyncio.create_task(self._write())
        watching = asyncio.create_task(self._watch())
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

    async def _watch(self) -> None:
        """Once the run is stopped, tell the workers, and give them the time that a run here has."""
        await self.host.stop.wait()
        reason = self.host.stop.reason
        if not isinstance(reason, BudgetSpent):
            self.host.slots.halt()
        assert reason is not None
        await self.team.stop(reason, GRACE)

    def _needs_workers(self) -> bool:
        return self.shards.are_left and not self.host.stop.requested

    async def _serve(self, worker: Worker) -> None:
        """Give a worker shards until none is left; raises what Ray raises when it dies."""
        while not self.host.stop.requested and not self.shards.are_done:
            shard = self.shards.next(len(self.team.workers))
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
                    self._note_death(shard, cause_of(error))
                self.shards.give_back(shard)
                raise
            finally:
                self.records.release(shard)
                self.records.busy -= 1

    async def _work(self, worker: Worker, shard: Shard) -> None:
        granting = asyncio.create_task(self._grant(worker)) if has_budget(self.job) else None
        interval = FLUSH_EVERY if has_budget(self.job) else flush_interval(len(self.team.workers))
        work = shard.work(has_history=self.records.has_history, flush_every=interval)
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
        for event in batch.events:
            await self.records.take(event, shard, self.host, worker.answer)
        worker.take_back(batch.left, self.host.slots)  # after what was paid with them is counted
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
        self.note(shard, ended)
        shard.is_done = ended.complete
        stop = ended.error or ended.stop
        if isinstance(stop, EndpointUnusable):
            where = f"the node {worker.environment.host}: {stop}"
            if stop.status is None and self.team.has_others(worker):
                raise NodeUnfit(where)  # it has no connection, and others may have one
            if self.team.nodes > 1 or self.team.unfit:
                stop = EndpointUnusable(where, kind=stop.kind, status=stop.status)
        if stop is not None:
            self.host.stop.request(stop)
        self.ready.set()

    def _note_death(self, shard: Shard, cause: str) -> None:
        """A worker died over the shard: another continues it, without a picture that kills each.

        Until those that were under way when the second died are done, pictures are worked on one at a time:
        the next death tells which it is, if it is one of those. Two deaths are not enough, even for one
        picture: workers are killed for other reasons.
        """
        shard.deaths += 1
        again = shard.suspects & shard.under_way.keys()
        if len(again) == 1:
            (key,) = again
            message = f"workers died over this picture, the last of them with it alone: {cause}"
            _log.warning("picture key=%s: %s", printable(key), message)
            content_id = shard.under_way[key]
            failure = Failure(key=key, kind="worker-died", message=message, attempts=1, content_id=content_id)
            self.records.add_failure(failure, shard, self.host)
            shard.deaths, shard.suspects = 1, frozenset()
            self._note_fatal(cause)
        elif again:
            shard.suspects = again
        elif shard.deaths > 1:
            shard.deaths, shard.suspects = 2, frozenset(shard.under_way)
        shard.under_way = {}

    def _note_fatal(self, cause: str) -> None:
        """Stop where it is not single pictures over which workers die; each of them costs three workers."""
        most = min(_MOST_FATAL, self.job.run.stop_after_failures)
        if 0 < most <= self.records.fatal_in_a_row:
            pictures = plural(self.records.fatal_in_a_row, "picture")
            self.host.stop.request(
                ManyFailed(
                    f"workers died over {pictures} in a row, the last of them: {cause}; fix this and run the "
                    "same command with --retry-failed"
                )
            )

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
