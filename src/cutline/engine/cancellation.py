"""The wish to end a run before its time."""

from __future__ import annotations

import asyncio

from cutline.errors import CutlineError


class Stop:
    """A wish to end early. The first reason counts."""

    def __init__(self) -> None:
        self.reason: CutlineError | None = None
        self._event = asyncio.Event()

    def request(self, reason: CutlineError) -> None:
        if self.reason is None:
            self.reason = reason
        self._event.set()

    @property
    def requested(self) -> bool:
        return self._event.is_set()

    async def wait(self) -> None:
        await self._event.wait()
