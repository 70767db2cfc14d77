"""Places before the model, as many as it takes at that moment and a few more."""

from __future__ import annotations

import asyncio
import collections
import contextlib
from collections.abc import AsyncIterator, Callable


class Places:
    """Lets that many in at once, the others in the order in which they came.

    ``slots`` may change: how much an endpoint takes is found out while it is asked. A few more than
    that come in, as in the engine: they open their pictures meanwhile.
    """

    def __init__(self, slots: Callable[[], int]) -> None:
        self._slots = slots
        self._waiting: collections.deque[asyncio.Future[None]] = collections.deque()
        self.taken = 0

    @property
    def _free(self) -> bool:
        slots = self._slots()
        return self.taken < slots + min(16, 2 + slots // 4)

    @contextlib.asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Hold a place; waits for it."""
        if self._free and not self._waiting:
            self.taken += 1
        else:
            await self._stand_in_line()
        try:
            yield
        finally:
            self._leave()

    async def _stand_in_line(self) -> None:
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():  # the place had been handed over
                self._leave()
            raise

    def _leave(self) -> None:
        self.taken -= 1
        while self._waiting and self._free:
            future = self._waiting.popleft()
            if not future.done():
                self.taken += 1
                future.set_result(None)
