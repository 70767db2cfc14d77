"""The workers of a run: started where there is room, replaced when they die, with shares of one limit."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import logging
import math
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
from cutline.ray.messages import Logged, Status
from cutline.ray.placement import Placement, cause_of, need_of
from cutline.ray.remote_worker import NodeUnfit, Worker, WorkerLost
from cutline.ray.shares import Shares
from cutline.ray.worker_log import log

_log = logging.getLogger(__name__)
_SETTLE = 2.0  # seconds until an endpoint has noticed that the requests of a dead worker are gone
_LOOK_EVERY = 2.0  # seconds between looks for new nodes
_HEAD_PATIENCE = 15.0  # of the 60 seconds after which Ray ends this process
_START_PATIENCE = 30.0  # in which the others leave a starting worker's part of the limit to it
_MAX_FAILED_STARTS = 3
_NODE_PATIENCE = 60.0  # in which the connection of a node may come back


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
        self.unfit: list[NodeUnfit] = []
        self._gone: list[Status] = []
        self._first: list[Worker] = []
        self._worked: list[Worker] = []
        self._failed_starts = 0
        self._places: dict[asyncio.Task[None], int] = {}
        self._starting: dict[int, float] = {}  # the numbers of places without a worker, and since when
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def statuses(self) -> list[Status]:
        return [worker.status for worker in self.workers]

    @property
    def all_statuses(self) -> list[Status]:
        """Including the last figures of workers that died."""
        return [*self._gone, *self.statuses]

    @property
    def nodes(self) -> int:
        return len({worker.environment.node for worker in self.workers})

    def has_others(self, worker: Worker) -> bool:
        """Whether workers on other nodes work too."""
        return any(one.environment.node != worker.environment.node for one in self.workers)

    async def open(self, terms: Terms) -> None:
        """Start the first worker, to find errors that all workers would have.

        Raises:
            ConfigError: it cannot work, or no node has the resources for one.
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
        except NodeUnfit as error:
            raise error.cause from None
        except ray.exceptions.RayError as error:
            raise ConfigError(f"a worker cannot start on the cluster: {cause_of(error)}") from None

    async def _look(self) -> int | None:
        """Set the number of workers; returns how many the cluster has resources for."""
        assert self._placement is not None, "open comes first"
        room = await self._placement.room()
        most = [self._job.cluster.actors, room, self._limit]
        self.wanted = min(count for count in most if count is not None)
        return room

    async def serve(
        self, work: Callable[[Worker], Awaitable[None]], is_needed: Callable[[], bool], stop: Stop
    ) -> None:
        """Run ``work`` in as many workers as there are resources for, each until it returns.

        A worker that dies is replaced while some are needed; nodes that join get some. Without the head of
        the cluster, or where no worker can be started, the run is stopped.
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
                    if not task.cancelled() and isinstance(error := task.exception(), ConfigError):
                        stop.request(RunStopped(str(error)))  # what is done is kept, unlike for a refusal
                    elif not task.cancelled():
                        task.result()
        finally:
            tasks = [watching, *self._places]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, stop: Stop) -> None:
        """Watch the resources of the cluster, and stop the run when its head does not respond."""
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
        """Stop waiting for workers whose nodes were removed."""
        surplus = max(0, len(self._places) - max(1, self.wanted))
        for place in [one for one, number in self._places.items() if number in self._starting][:surplus]:
            place.cancel()

    async def _place(self, number: int, work: Callable[[Worker], Awaitable[None]]) -> None:
        """Start a worker and run it until no work is left or it dies."""
        import ray.exceptions

        assert self._placement is not None
        try:
            worker = self._first.pop() if self._first else await self._placement.start()
        except NodeUnfit as error:
            self._starting.pop(number, None)
            if not self.workers:
                raise error.cause from None
            await self._do_without(error)
            return
        except ray.exceptions.RayError as error:
            self._failed_starts += 1
            if self._failed_starts >= _MAX_FAILED_STARTS and not self.workers:
                raise ConfigError(f"workers die while they start: {cause_of(error)}") from None
            await asyncio.sleep(_SETTLE)
            return
        self._failed_starts = 0
        self._starting.pop(number, None)
        await self._work(worker, work)

    async def _work(self, worker: Worker, work: Callable[[Worker], Awaitable[None]]) -> None:
        """Have a worker work until nothing is left, it dies, or its node turns out to be unfit."""
        import ray.exceptions

        self.workers.append(worker)
        self._worked.append(worker)
        after = 0.0
        unfit: NodeUnfit | None = None
        try:
            await self._shares.join(worker)
            await work(worker)
        except NodeUnfit as error:
            unfit = error
            worker.stop(error)
        except (ray.exceptions.RayError, WorkerLost) as error:
            after = _SETTLE
            worker.kill()
            where = worker.environment
            _log.warning("worker died host=%s pid=%d: %s", where.host, where.pid, cause_of(error))
        finally:
            self._remove(worker, after)
        if unfit is not None:  # its process holds the place on that node meanwhile
            try:
                await self._do_without(unfit, _NODE_PATIENCE)
            finally:
                worker.kill()

    async def _do_without(self, error: NodeUnfit, seconds: float = math.inf) -> None:
        """Leave a node out while others work, for at most this many seconds."""
        _log.warning("%s; the other nodes continue without it", error)
        self.unfit.append(error)
        end = time.monotonic() + seconds
        while self.workers and time.monotonic() < end:  # noqa: ASYNC110 - see ``_LOOK_EVERY``
            await asyncio.sleep(_LOOK_EVERY)

    def _remove(self, worker: Worker, after: float = 0.0) -> None:
        self.workers.remove(worker)
        self._gone.append(dataclasses.replace(worker.status, in_flight=0, loading=0, slots=0))
        leaving = asyncio.create_task(self._shares.leave(worker, after=after))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    async def stop(self, reason: CutlineError, grace: float) -> None:
        """Stop the shards of all workers early; kill those that have not stopped after ``grace`` seconds."""
        for worker in list(self.workers):
            worker.stop(reason)
        await asyncio.sleep(grace + _SETTLE)
        for worker in self.workers:
            worker.kill()

    async def aclose(self) -> None:
        """Close the workers' models; kills the workers."""
        closing = (worker.close() for worker in [*self._first, *self._worked])
        for event in itertools.chain.from_iterable(await asyncio.gather(*closing)):
            if isinstance(event, Logged):
                log(event)
        for leaving in list(self._leaving):
            leaving.cancel()
        await asyncio.gather(*self._leaving, return_exceptions=True)


def _head_lost(address: str) -> str:
    return (
        f"the head of the Ray cluster, {address}, does not respond; the same command continues: with "
        "--address of another cluster, or on this machine, without --engine and its options"
    )
