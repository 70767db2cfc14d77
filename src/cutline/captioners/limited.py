"""A slot and a time limit for each call of a captioner."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Hashable
from types import TracebackType

from cutline.captioners.concurrency import Concurrency, Request
from cutline.captioners.wrapper import Wrapper
from cutline.errors import ReplyError, RequestError, Retryable
from cutline.imaging import Picture
from cutline.interfaces import Captioner
from cutline.prompts import Prompt
from cutline.records import Reply, Slowdown


class Limited(Wrapper):
    """Takes a slot for each call and gives up a call that hangs.

    ``timeout`` in seconds bounds a call as a whole, whatever the captioner within does; None leaves it
    to the captioner. ``queued``: calls may wait for each other at an endpoint, which does not count.
    """

    def __init__(
        self, inner: Captioner, concurrency: Concurrency, *, timeout: float | None, queued: bool = False
    ) -> None:
        super().__init__(inner)
        self._queued = queued
        self._concurrency = concurrency
        self._timeout = timeout
        self._halted = asyncio.Event()

    @property
    def slots(self) -> int:
        return self._concurrency.limit

    @property
    def at_once(self) -> int:
        return min(self.slots, self.inner.at_once)

    @property
    def in_flight(self) -> int:
        return self._concurrency.in_flight

    @property
    def slowdown(self) -> Slowdown:
        return self._concurrency.slowdown

    @property
    def limit_key(self) -> Hashable:
        return self._concurrency

    def halt(self) -> None:
        self._concurrency.halt(self._halted)
        self.inner.halt()

    async def caption(self, picture: Picture, prompt: Prompt) -> Reply:
        request = await self._concurrency.acquire(self._halted, id(picture))
        try:
            try:
                async with self._time_limit(request):
                    reply = await self.inner.caption(picture, prompt)
            except TimeoutError:
                message = f"{self.name} did not respond within {self._timeout:g} s"
                error: RequestError = Retryable("timeout", message)
            except RequestError as caught:
                error = caught
            except ReplyError:  # a reply all the same
                self._concurrency.answered(request)
                raise
            else:
                self._concurrency.answered(request)
                return reply
            await self._concurrency.failed(request, error, self._halted)
            raise error from None
        finally:
            self._concurrency.release(request)

    def _time_limit(self, request: Request) -> contextlib.AbstractAsyncContextManager[object]:
        timeout = self._timeout
        if timeout is None or not self._queued:
            return asyncio.timeout(timeout)
        return _QueuedTimeLimit(request, self._concurrency, timeout)


class _QueuedTimeLimit:
    """The time for a request, longer while it waits for others at the endpoint.

    A class, as a context manager made of a generator takes several times as long, for each request.
    """

    __slots__ = ("_concurrency", "_limit", "_loop", "_request", "_timeout", "_timer")

    def __init__(self, request: Request, concurrency: Concurrency, timeout: float) -> None:
        self._request, self._concurrency, self._timeout = request, concurrency, timeout
        self._limit = asyncio.timeout(None)
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(timeout, self._look)

    async def __aenter__(self) -> None:
        await self._limit.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        await self._limit.__aexit__(kind, error, traceback)

    def _look(self) -> None:
        left = self._concurrency.deadline(self._request, self._timeout) - time.monotonic()
        if left <= 0:
            self._limit.reschedule(self._loop.time())
        else:
            self._timer = self._loop.call_later(left, self._look)
