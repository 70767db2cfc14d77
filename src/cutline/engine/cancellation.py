"""Cooperative cancellation for a run."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from cutline.errors import CutlineError

_T = TypeVar("_T")


class Stop:
    """Requests that a run ends early; the first reason counts."""

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


async def until_stopped(
    work: Coroutine[Any, Any, _T], stop: Stop, *, grace: float = 0.0
) -> asyncio.Task[_T] | None:
    """Run ``work`` to its end; None when it was cancelled, ``grace`` seconds after the run was stopped."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if grace and not working.done():
            await asyncio.wait({working}, timeout=grace)
        return working if working.done() else None
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


async def unless_stopped(work: Coroutine[Any, Any, _T], stop: Stop) -> _T:
    """The result of ``work``; once the run is stopped, ``work`` is cancelled and the reason raised."""
    finished = await until_stopped(work, stop)
    if finished is None:
        assert stop.reason is not None
        raise stop.reason
    return finished.result()
