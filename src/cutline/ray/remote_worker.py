"""A worker, from the driver's side."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import threading
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

from cutline.errors import ConfigError, CutlineError
from cutline.ray.liveness import responds
from cutline.ray.messages import Batch, Environment, Event, ShardWork, Status
from cutline.slots import Slots

_T = TypeVar("_T")
SILENCE = 5.0  # seconds without a message; a worker sends at least one in a second
_CLOSE_PATIENCE = 15.0  # seconds; a plug-in has five, a server ten


class WorkerLost(CutlineError):
    """A worker's node does not respond any more, or was removed."""


class NodeUnfit(WorkerLost):
    """A worker's node lacks what the job needs, and others may have; ``cause`` ends the run if none has."""

    def __init__(self, message: str, cause: CutlineError | None = None) -> None:
        super().__init__(message)
        self.cause = cause or ConfigError(message)


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class Worker:
    """An actor, and its state at the driver. ``node_address`` is HOST:PORT of its node's Ray process."""

    actor: Any
    environment: Environment
    node_address: str
    share: int = 0
    status: Status = dataclasses.field(default_factory=Status)
    granted: int = 0
    demand: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    is_gone: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)

    async def run(self, work: ShardWork) -> AsyncIterator[Batch]:
        """Run a shard; yields the batches of its events.

        Raises:
            RayError: it died.
            WorkerLost: neither the worker nor its node responds; a worker that is only slow is waited for.
        """
        references = self.actor.run.options(name=f"shard {work.number}").remote(work)
        while (batch := await self._patiently(_next(references))) is not None:
            yield batch

    async def _patiently(self, work: Coroutine[Any, Any, _T]) -> _T:
        working, gone = asyncio.create_task(work), asyncio.create_task(self.is_gone.wait())
        try:
            while not working.done():
                await asyncio.wait({working, gone}, timeout=SILENCE, return_when=asyncio.FIRST_COMPLETED)
                if gone.done():
                    raise WorkerLost("it was removed")
                if not working.done() and not await responds(self.node_address):
                    raise WorkerLost(f"its node {self.environment.host} does not respond any more")
            return working.result()
        finally:
            for task in (working, gone):
                task.cancel()
            await asyncio.gather(working, gone, return_exceptions=True)

    async def set_share(self, requests: int) -> bool:
        """Set its limit of concurrent requests; returns once it holds, False if the worker is dead."""
        import ray.exceptions

        try:
            await self._patiently(_result(self.actor.share.remote(requests)))
        except (ray.exceptions.RayError, WorkerLost):
            return False
        return True

    def answer(self, number: int, answer: object) -> None:
        self.actor.answer.remote(number, answer)

    def greet(self) -> None:
        """Send a sign of life, without which the worker begins no more pictures."""
        self.actor.greet.remote()

    def stop(self, reason: CutlineError) -> None:
        """Stop its shard early."""
        self.actor.stop.remote(reason)

    async def close(self) -> tuple[Event, ...]:
        """Close its model, unless that takes too long, and kill its process; returns its last events."""
        import ray.exceptions

        try:
            async with asyncio.timeout(_CLOSE_PATIENCE):
                events: tuple[Event, ...] = await self._patiently(_result(self.actor.aclose.remote()))
        except (ray.exceptions.RayError, WorkerLost, TimeoutError):
            return ()
        else:
            return events
        finally:
            self.kill()

    def kill(self) -> None:
        """Kill its process, even if it does not respond."""
        self.is_gone.set()
        kill(self.actor)

    async def wait_for_demand(self) -> None:
        """Wait until it can use more grants."""
        while self.granted > max(1, self.status.slots):
            self.demand.clear()
            await self.demand.wait()

    def grant(self) -> None:
        self.granted += 1
        self.actor.grant.remote(1)

    def take_back(self, count: int, slots: Slots) -> None:
        for _ in range(count):
            self.granted -= 1
            slots.leave()
        if count:
            self.demand.set()

    def return_grants(self, slots: Slots) -> None:
        """Take back all grants, as it has no shard."""
        self.take_back(self.granted, slots)


async def _result(reference: Any) -> Any:
    return await reference


async def _next(references: Any) -> Batch | None:
    """The next batch of a worker's events; None after the last."""
    try:
        reference = await anext(references)
    except StopAsyncIteration:
        return None
    batch: Batch = await reference
    return batch


def kill(actor: Any) -> None:
    """Kill an actor without waiting, as this blocks for a minute if the head node is unreachable."""
    threading.Thread(target=_kill, args=(actor,), daemon=True, name="cutline-ray").start()


def _kill(actor: Any) -> None:
    import ray

    with contextlib.suppress(Exception):  # the actor is gone, or the cluster
        ray.kill(actor)
