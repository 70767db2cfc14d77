"""The workers of a run: started where there is room, replaced when they die, with shares of one limit."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import logging
import time
from collections.abc import Awaitable, Callable

from cutline.captioners.pool import DEFAULT_CEILING
from cutline.credentials import Secret
from cutline.engine.cancellation import Stop
from cutline.engine.executor import Terms
from cutline.errors import ConfigError, CutlineError, RunStopped
from cutline.formatting import plural
from cutline.job import Job
from cutline.ray.liveness import PATIENCE, responds
from cutline.ray.messages import Status
from cutline.ray.placement import Placement, cause_of, need_of
from cutline.ray.remote_worker import Worker, WorkerLost
from cutline.ray.shares import Shares

_log = logging.getLogger(__name__)
_SETTLE = 2.0  # seconds until an endpoint has noticed that the requests of a dead worker are gone
_LOOK_EVERY = 2.0  # seconds between looks for new nodes
_HEAD_PATIENCE = 15.0  # of the 60 seconds after which Ray ends this process
_START_PATIENCE = 30.0  # in which the others leave a starting worker's part of the limit to it
_MAX_FAILED_STARTS = 3


class Team:
    """The workers of a run. ``head`` is HOST:PORT of the cluster's head."""

    def __init__(self, job: Job, key: Secret | None) -> None:
        self._job = job
        self._key = key
        self._limit = job.run.max_concurrent_requests or DEFAULT_CEILING
        if not job.run.enable_async:
            self._limit = 1
        self._shares = Shares(self._limit)
        self._placement: Placement | None = None
        self.head = ""
        self.is_headless = False
        self.wanted = 1
        self.workers: list[Worker] = []
        self._gone: list[Status] = []
        self._first: list[Worker] = []
        self._failed_starts = 0
        self._places: dict[asyncio.Task[None], int] = {}
        self._starting: dict[int, float] = {}  # the numbers of places without a worker, and since when
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def statuses(self) -> list[Status]:
        return [worker.status for worker in self.workers]

    @property
    def all_statuses(self) -> list[Status]:
        """With the last ones of workers that are gone."""
        return [*self._gone, *self.statuses]

    async def open(self, terms: Terms) -> None:
        """Start the first worker, so that what is wrong with all is known.

        Raises:
            ConfigError: it cannot work, or the cluster has no room for one.
        """
        import ray.exceptions

        import ray

        self.head = ray.get_runtime_context().gcs_address
        self._placement = Placement(self._job, self._key, terms)
        room = await self._look()
        if room == 0:
            raise ConfigError(
                f"no node of the cluster has {need_of(self._job)} for a worker: lower --cpus-per-actor or "
                "--gpus-per-actor, or add nodes"
            )
        actors = self._job.cluster.actors
        if room is not None and actors is not None and room < min(actors, self._limit):
            _log.warning(
                "the cluster has room for %s of --actors %d; the others start when nodes are added",
                plural(room, "worker"),
                actors,
            )
        await self._shares.divide(self.wanted)
        try:
            self._first.append(await self._placement.start())
        except ray.exceptions.RayError as error:
            raise ConfigError(f"a worker cannot start on the cluster: {cause_of(error)}") from None

    async def _look(self) -> int | None:
        """Set how many workers are wanted; returns for how many there is room."""
        assert self._placement is not None, "open comes first"
        room = await self._placement.room()
        most = [self._job.cluster.actors, room, self._limit]
        self.wanted = min(count for count in most if count is not None)
        return room

    async def serve(
        self, work: Callable[[Worker], Awaitable[None]], is_needed: Callable[[], bool], stop: Stop
    ) -> None:
        """Have as many workers as there is room for do ``work``, each until it returns.

        A worker that dies is replaced while some are needed; nodes that join get some. Without the head of
        the cluster the run is stopped.

        Raises:
            ConfigError: none can be started.
        """
        numbers = itertools.count()
        watching = asyncio.create_task(self._watch(stop))
        try:
            while self._places or is_needed():
                while is_needed() and len(self._places) < max(1, self.wanted):
                    number = next(numbers)
                    self._starting[number] = time.monotonic()
                    self._places[asyncio.create_task(self._place(number, work))] = number
                done, _ = await asyncio.wait(
                    {watching, *self._places}, timeout=_LOOK_EVERY, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    self._starting.pop(self._places.pop(task, -1), None)
                    if not task.cancelled():
                        task.result()
        finally:
            tasks = [watching, *self._places]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, stop: Stop) -> None:
        """Follow what room the cluster has, and stop the run when its head is gone."""
        heard = time.monotonic()
        dividing: asyncio.Task[None] | None = None
        try:
            while True:
                await asyncio.sleep(_LOOK_EVERY)
                for worker in self.workers:
                    worker.greet()
                if await responds(self.head):
                    heard = time.monotonic()
                    with contextlib.suppress(TimeoutError):  # the head is gone since
                        await asyncio.wait_for(self._look(), PATIENCE)
                    self._cancel_surplus()
                elif time.monotonic() - heard > _HEAD_PATIENCE:
                    self.is_headless = True
                    stop.request(RunStopped(_head_lost(self.head)))
                    await asyncio.Event().wait()
                if dividing is None or dividing.done():  # it waits for requests to end
                    expected = len(self.workers) + self._recent_starts()
                    dividing = asyncio.create_task(self._shares.divide(expected))
        finally:
            if dividing is not None:
                dividing.cancel()
                await asyncio.gather(dividing, return_exceptions=True)

    def _recent_starts(self) -> int:
        last = time.monotonic() - _START_PATIENCE
        return sum(begun > last for begun in self._starting.values())

    def _cancel_surplus(self) -> None:
        """Wait no more for workers for which there is no room, as their nodes are gone."""
        surplus = max(0, len(self._places) - max(1, self.wanted))
        for place in [one for one, number in self._places.items() if number in self._starting][:surplus]:
            place.cancel()

    async def _place(self, number: int, work: Callable[[Worker], Awaitable[None]]) -> None:
        """Start a worker, and have it work until nothing is left or it dies."""
        import ray.exceptions

        assert self._placement is not None
        try:
            worker = self._first.pop() if self._first else await self._placement.start()
        except ray.exceptions.RayError as error:
            self._failed_starts += 1
            if self._failed_starts >= _MAX_FAILED_STARTS and not self.workers:
                raise ConfigError(f"workers die while they start: {cause_of(error)}") from None
            await asyncio.sleep(_SETTLE)
            return
        self._failed_starts = 0
        self._starting.pop(number, None)
        self.workers.append(worker)
        after = 0.0
        try:
            await self._shares.join(worker)
            await work(worker)
        except (ray.exceptions.RayError, WorkerLost) as error:
            after = _SETTLE
            where = worker.environment
            _log.warning("worker died host=%s pid=%d: %s", where.host, where.pid, cause_of(error))
        finally:
            self._remove(worker, after)

    def _remove(self, worker: Worker, after: float = 0.0) -> None:
        self.workers.remove(worker)
        self._gone.append(dataclasses.replace(worker.status, in_flight=0, loading=0, slots=0))
        leaving = asyncio.create_task(self._shares.leave(worker, after=after))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)
        worker.kill()

    async def stop(self, reason: CutlineError, grace: float) -> None:
        """Have all end their shards early; those that have not after ``grace`` seconds are killed."""
        for worker in list(self.workers):
            worker.stop(reason)
        await asyncio.sleep(grace + _SETTLE)
        for worker in self.workers:
            worker.kill()

    async def aclose(self) -> None:
        for worker in [*self._first, *self.workers]:
            worker.kill()
        for leaving in list(self._leaving):
            leaving.cancel()
        await asyncio.gather(*self._leaving, return_exceptions=True)


def _head_lost(address: str) -> str:
    return (
        f"the head of the Ray cluster, {address}, does not respond any more; the same command goes on: with "
        "--address of another cluster, or on this machine, without --engine and its options"
    )
