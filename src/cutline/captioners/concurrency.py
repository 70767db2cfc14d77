"""How many requests an endpoint can use at once, found while using it.

The limit starts low and grows by one with each reply, which doubles it every round trip, until
twice as many requests no longer bring more replies. From then on it climbs: a step up is kept
when replies per second rise, a step down when they do not fall. An overloaded endpoint (429, 503,
or latency that doubles for no gain) lowers it at once. See docs/design/concurrency.md.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import time
from collections.abc import AsyncIterator

from cutline.errors import Retryable
from cutline.imaging import Picture
from cutline.interfaces import Captioner, Preparing
from cutline.prompts import Prompt
from cutline.records import Reply

_GAIN = 1.03  # a step up must bring this much
_LOSS = 0.985  # a step down may cost this much
_PLATEAU = 1.12  # less growth than this for twice the requests: the ceiling is reached
_OVERLOADED = frozenset({429, 503})


@dataclasses.dataclass(slots=True)
class _Epoch:
    """What was seen since the limit last changed."""

    start: float
    limit: int
    replies: int = 0
    latency: float = 0.0
    saturated: int = 0


class Concurrency:
    """The number of requests allowed at once: fixed at ``ceiling``, or found from ``start`` up to it."""

    def __init__(self, *, ceiling: int, start: int = 8, adaptive: bool = True) -> None:
        self.ceiling = max(1, ceiling)
        self._adaptive = adaptive
        self._limit = float(min(start, self.ceiling) if adaptive else self.ceiling)
        self._starting = adaptive
        self._in_flight = 0
        self._waiting: collections.deque[asyncio.Future[None]] = collections.deque()
        self._paused_until = 0.0
        self._lowered_at = 0.0
        self._recover_to = 0.0
        self._latency = 0.0
        self._epoch = _Epoch(time.monotonic(), self.limit)
        self._last_rate = 0.0
        self._climb = _Climb()

    @property
    def limit(self) -> int:
        return max(1, int(self._limit))

    @property
    def in_flight(self) -> int:
        return self._in_flight

    @contextlib.asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold one place among the requests; waits for it, and while the endpoint asks for a pause."""
        await self._acquire()
        try:
            yield
        finally:
            self._give_back()

    async def _acquire(self) -> None:
        if self._in_flight < self.limit and not self._waiting:
            self._in_flight += 1
        else:
            await self._stand_in_line()
        try:
            await self._sit_out_pause()
        except asyncio.CancelledError:
            self._give_back()
            raise

    async def _stand_in_line(self) -> None:
        """Wait for a place; ``_wake`` counts it before it is handed over."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():  # the place had been handed over
                self._give_back()
            raise

    async def _sit_out_pause(self) -> None:
        while (pause := self._paused_until - time.monotonic()) > 0:  # noqa: ASYNC110 - the end may move
            await asyncio.sleep(pause)

    def _give_back(self) -> None:
        self._in_flight -= 1
        self._wake()

    def _wake(self) -> None:
        while self._waiting and self._in_flight < self.limit:
            future = self._waiting.popleft()
            if not future.done():
                self._in_flight += 1
                future.set_result(None)

    def answered(self, seconds: float) -> None:
        """Note a reply that took ``seconds``; may raise the limit."""
        epoch = self._epoch
        epoch.replies += 1
        epoch.latency += seconds
        epoch.saturated += self._in_flight >= self.limit
        self._latency = seconds if not self._latency else 0.9 * self._latency + 0.1 * seconds
        if not self._adaptive:
            self._limit = min(self._limit + 1 / self.limit, float(self.ceiling))
            return
        if self._starting and self._in_flight >= self.limit:
            self._limit = min(self._limit + 1, float(self.ceiling))
        now = time.monotonic()
        if now - epoch.start >= self._epoch_seconds() and epoch.replies >= min(20, 2 * self.limit):
            self._end_epoch(now)
        self._wake()

    def overloaded(self, retry_after: float | None) -> None:
        """Note that the endpoint asked for less; ``retry_after`` in seconds stops all requests that long."""
        now = time.monotonic()
        if retry_after:
            self._paused_until = max(self._paused_until, now + retry_after)
        # Requests that were under way together are one complaint, not many.
        if now - self._lowered_at > max(self._latency, 0.2):
            self._lowered_at = now
            self._starting = False
            self._climb.forget()
            self._limit = max(1.0, self._limit * 0.7)
            self._epoch = _Epoch(now, self.limit)

    def _epoch_seconds(self) -> float:
        if self._starting:
            return max(self._latency, 0.05)
        return max(2 * self._latency, 0.5)

    def _end_epoch(self, now: float) -> None:
        epoch, self._epoch = self._epoch, _Epoch(now, self.limit)
        if epoch.saturated < 0.5 * epoch.replies:
            return  # the pictures, not the limit, held us back: nothing learnt
        rate = epoch.replies / (now - epoch.start)
        if self._starting:
            if rate < _PLATEAU * self._last_rate and self.limit > epoch.limit * 1.5:
                self._starting = False
                self._limit = float(max(epoch.limit // 2, 1, min(epoch.limit, self.limit)))
            self._last_rate = max(rate, self._last_rate)
        else:
            self._limit = self._climb.step(epoch.limit, rate, epoch.latency / epoch.replies, self.ceiling)
        self._epoch.limit = self.limit


class _Climb:
    """Hill climbing on replies per second, by steps of about an eighth."""

    def __init__(self) -> None:
        self._home = 0
        self._rates: collections.deque[float] = collections.deque(maxlen=4)
        self._latency = 0.0
        self._up = True
        self._patience = 0

    def forget(self) -> None:
        self._home = 0
        self._rates.clear()

    def step(self, limit: int, rate: float, latency: float, ceiling: int) -> float:
        """The next limit to try, after an epoch at ``limit`` gave ``rate`` replies per second."""
        if limit == self._home or not self._home:
            self._home = limit
            self._rates.append(rate)
            self._latency = latency
            if len(self._rates) < 2 or self._rest():
                return float(limit)
            return self._try(ceiling)
        known = sum(self._rates) / len(self._rates)
        if limit > self._home:
            kept = rate >= known * _GAIN
        else:
            kept = rate >= known * _LOSS and latency < self._latency
        if kept:
            self._home, self._latency = limit, latency
            # A step down keeps the old rate as the measure, or small losses would add up.
            if rate > known:
                self._rates.clear()
                self._rates.append(rate)
            self._patience = 0
        else:
            self._up = not self._up
            self._patience = min(self._patience + 1, 8)
        return float(self._home)

    def _rest(self) -> bool:
        """After fruitless tries stay longer: each try costs a little."""
        if self._patience > 1:
            self._patience -= 2
            return True
        return False

    def _try(self, ceiling: int) -> float:
        change = max(1, self._home // 8)
        tried = self._home + change if self._up else self._home - change
        tried = max(1, min(tried, ceiling))
        if tried == self._home:
            self._up = not self._up
        return float(tried)


class Limited:
    """A captioner that takes a slot for each call and gives up a call that hangs.

    ``timeout`` in seconds bounds a call as a whole, whatever the captioner within does.
    """

    def __init__(self, inner: Captioner, concurrency: Concurrency, *, timeout: float) -> None:
        self.name = inner.name
        self._inner = inner
        self._concurrency = concurrency
        self._timeout = timeout

    @property
    def slots(self) -> int:
        return self._concurrency.limit

    async def prepare(self, picture: Picture) -> None:
        if isinstance(self._inner, Preparing):
            await self._inner.prepare(picture)

    async def caption(self, picture: Picture, prompt: Prompt) -> Reply:
        async with self._concurrency.slot():
            start = time.perf_counter()
            try:
                async with asyncio.timeout(self._timeout):
                    reply = await self._inner.caption(picture, prompt)
            except TimeoutError:
                message = f"{self.name} did not answer within {self._timeout:g} s"
                raise Retryable("timeout", message) from None
            except Retryable as error:
                if error.status in _OVERLOADED:
                    self._concurrency.overloaded(error.retry_after)
                raise
            self._concurrency.answered(time.perf_counter() - start)
            return reply

    async def aclose(self) -> None:
        await self._inner.aclose()
