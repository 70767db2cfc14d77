"""A bounded number of places, and the line of those who wait for one."""

from __future__ import annotations

import asyncio
import collections
import contextlib
from collections.abc import AsyncIterator, Callable

from cutline.errors import RunStopped


class Slots:
    """Lets ``most`` in at once, the others in the order in which they came.

    ``most`` may answer differently each time; call ``wake`` when it has become more.
    """

    def __init__(self, most: Callable[[], int]) -> None:
        self._most = most
        self._waiting: collections.deque[asyncio.Future[None]] = collections.deque()
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

    async def take(self) -> None:
        """Wait for a place; ``wake`` counts it before it is handed over.

        Raises:
            RunStopped: nobody is let in any more.
        """
        if self.halted.is_set():
            raise RunStopped("stopped")
        if self.taken < self._most() and not self._waiting:
            self.taken += 1
            return
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            await future
        except asyncio.CancelledError:
            if (
                future.done() and not future.cancelled() and future.exception() is None
            ):  # the place had been handed over
                self.leave()
            raise

    def leave(self) -> None:
        self.taken -= 1
        self.wake()

    def halt(self) -> None:
        """Let nobody in from now on."""
        self.halted.set()
        for future in self._waiting:
            if not future.done():
                future.set_exception(RunStopped("stopped"))
        self._waiting.clear()

    async def pause(self, seconds: float) -> None:
        """Wait so long; raises RunStopped as soon as nobody is let in any more."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.halted.wait()
        if self.halted.is_set():
            raise RunStopped("stopped")

    def wake(self) -> None:
        """Let in as many as there is room for."""
        while self._waiting and self.taken < self._most():
            future = self._waiting.popleft()
            if not future.done():
                self.taken += 1
                future.set_result(None)


def and_preparing(slots: int) -> int:
    """How many pictures may be under way before a captioner of so many slots: a few open theirs meanwhile."""
    return slots + min(16, 2 + slots // 4)
