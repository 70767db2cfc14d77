"""A worker as the driver sees it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import threading
from collections.abc import AsyncIterator, Coroutine, Mapping
from typing import Any, TypeVar

from cutline.errors import CutlineError
from cutline.ray.liveness import responds
from cutline.ray.messages import Batch, Environment, Known, ShardWork, Status
from cutline.slots import Slots

_T = TypeVar("_T")
SILENCE = 5.0  # seconds without a word, of a worker that has one to say five times a second


class WorkerLost(CutlineError):
    """A worker's node is gone without a word, or it was removed."""


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class Worker:
    """An actor, and the driver's account of it. ``node_address`` is HOST:PORT of the Ray there."""

    actor: Any
    environment: Environment
    node_address: str
    share: int = 0
    status: Status = dataclasses.field(default_factory=Status)
    granted: int = 0
    demand: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    is_gone: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)

    async def run(self, work: ShardWork) -> AsyncIterator[Batch]:
        """What happens while it works through a shard.

        Raises:
            RayError: it died.
            WorkerLost: it is silent, and so is its node; a worker that is only slow is waited for.
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
        """Have it send at most so many requests at once; returns when it does, False where it is dead."""
        import ray.exceptions

        try:
            await self._patiently(_result(self.actor.share.remote(requests)))
        except (ray.exceptions.RayError, WorkerLost):
            return False
        return True

    def answer(self, number: int, known: Mapping[str, Known]) -> None:
        self.actor.answer.remote(number, known)

    def greet(self) -> None:
        """Let it know that the driver is there; without that it begins nothing more."""
        self.actor.greet.remote()

    def stop(self, reason: CutlineError) -> None:
        """Have it end its shard early."""
        self.actor.stop.remote(reason)

    def kill(self) -> None:
        """End its process, also where it does not respond."""
        self.is_gone.set()
        kill(self.actor)

    async def wait_for_demand(self) -> None:
        """Wait until it has fewer grants than it can use."""
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
        """All of them, as it has no shard any more."""
        self.take_back(self.granted, slots)


async def _result(reference: Any) -> Any:
    return await reference


async def _next(references: Any) -> Batch | None:
    """The next batch of a worker; None after the last."""
    try:
        reference = await anext(references)
    except StopAsyncIteration:
        return None
    batch: Batch = await reference
    return batch


def kill(actor: Any) -> None:
    """End the process of an actor soon; without a head of the cluster that blocks for a minute."""
    threading.Thread(target=_kill, args=(actor,), daemon=True, name="cutline-ray").start()


def _kill(actor: Any) -> None:
    import ray

    with contextlib.suppress(Exception):  # the actor is gone, or the cluster
        ray.kill(actor)
