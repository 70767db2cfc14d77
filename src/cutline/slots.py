"""A bounded number of pictures or requests under way at once."""

from __future__ import annotations

import asyncio
import collections
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from cutline.errors import RunStopped


class Slots(Protocol):
    """Slots of which there is a bounded number; whoever waits for one gets it in turn."""

    async def take(self) -> None:
        """Wait for a slot.

        Raises:
            RunStopped: none is given any more.
        """

    def check(self) -> None:
        """Raise RunStopped where whoever has a slot may not make another request with it."""

    def leave(self) -> None:
        """Give a slot back."""

    def halt(self) -> None:
        """Give no slot any more."""


class LocalSlots:
    """Slots of this process: ``most`` at once, in the order in which they were asked for.

    ``most`` may answer differently each time; call ``wake`` when it has become more.
    """

    def __init__(self, most: Callable[[], int]) -> None:
        self._most = most
        self._waiting: collections.deque[tuple[asyncio.Future[None], asyncio.Event]] = collections.deque()
        self.taken = 0
        self.halted = asyncio.Event()

    @contextlib.asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Hold a place; waits for it."""
        await self.take()
        try:
            yield
        finally:
            self.leave()

    async def take(self, halted: asyncio.Event | None = None) -> None:
        """Wait for a place; ``wake`` counts it before it is handed over.

        ``halted`` is set by ``halt`` for the calls that share it; without it, for all that pass none.

        Raises:
            RunStopped: it is set.
        """
        halted = halted or self.halted
        if halted.is_set():
            raise RunStopped("stopped")
        if self.taken < self._most() and not self._waiting:
            self.taken += 1
            return
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((future, halted))
        try:
            await future
        except asyncio.CancelledError:
            if (
                future.done() and not future.cancelled() and future.exception() is None
            ):  # the place had been handed over
                self.leave()
            raise

    def check(self) -> None:
        if self.halted.is_set():
            raise RunStopped("stopped")

    def leave(self) -> None:
        self.taken -= 1
        self.wake()

    def halt(self, halted: asyncio.Event | None = None) -> None:
        """Let in none of the calls that pass this event to ``take``, from now on."""
        halted = halted or self.halted
        halted.set()
        for future, event in self._waiting:
            if event is halted and not future.done():
                future.set_exception(RunStopped("stopped"))
        self._waiting = collections.deque(one for one in self._waiting if one[1] is not halted)

    async def pause(self, seconds: float, halted: asyncio.Event | None = None) -> None:
        """Wait so long; raises RunStopped as soon as the event is set."""
        await pause(seconds, halted or self.halted)

    def wake(self) -> None:
        """Let in as many as there is room for."""
        while self._waiting and self.taken < self._most():
            future, _ = self._waiting.popleft()
            if not future.done():
                self.taken += 1
                future.set_result(None)


async def pause(seconds: float, halted: asyncio.Event) -> None:
    """Wait so long; raises RunStopped as soon as ``halted`` is set."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await halted.wait()
    if halted.is_set():
        raise RunStopped("stopped")


def and_preparing(slots: int) -> int:
    """Pictures in progress for a captioner with this many slots, including a few that are loading."""
    return slots + min(16, 2 + slots // 4)
