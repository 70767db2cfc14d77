"""The number of concurrent requests to an endpoint, fixed or tuned while it is used.

The limit doubles each round trip while that brings clearly more replies per second, then climbs in
steps. An overloaded endpoint (429, 503, or latency doubles while the rate falls) lowers it at once.
See docs/design/concurrency.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import math
import time
from collections.abc import AsyncIterator, Hashable

from cutline.captioners.adaptive_limit import Tuner
from cutline.captioners.wrapper import Wrapper
from cutline.errors import Retryable
from cutline.imaging import Picture
from cutline.interfaces import Captioner
from cutline.prompts import Prompt
from cutline.records import Reply
from cutline.slots import LocalSlots

_log = logging.getLogger(__name__)
MAX_PAUSE = 900.0  # seconds; a longer Retry-After is cut to it
_OVERLOADED = frozenset({429, 503})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Demand:
    """What one captioner allows: ``ceiling`` requests, or as many as are found to be best up to it.

    ``timeout`` in seconds for one request.
    """

    ceiling: int
    adaptive: bool = True
    timeout: float = math.inf


class Concurrency:
    """The number of requests allowed at once to one endpoint; found from ``start`` on unless it is fixed.

    Captioners that share it keep the smallest ceiling among their demands.
    """

    def __init__(self, demand: Demand, *, start: int = 16) -> None:
        self._demands = [demand]
        self._places = LocalSlots(lambda: self.limit)
        self._paused_until = 0.0
        self._lowered_at = 0.0
        self._latency = 0.0
        self._limit = float(start)
        self._tuner: Tuner | None = None
        self._shape: tuple[int, bool, float] | None = None
        self._follow_demands()

    def join(self, demand: Demand) -> None:
        """Keep to the demand of one more captioner."""
        self._demands.append(demand)
        self._follow_demands()

    def leave(self, demand: Demand) -> None:
        """Drop the demand of a captioner that is closed."""
        self._demands.remove(demand)
        if self._demands:
            self._follow_demands()

    def _follow_demands(self) -> None:
        ceiling = max(1, min(demand.ceiling for demand in self._demands))
        adaptive = all(demand.adaptive for demand in self._demands)
        longest = min(demand.timeout for demand in self._demands) / 2
        shape = (ceiling, adaptive, longest)
        if shape != self._shape:
            self.ceiling, self._shape = ceiling, shape
            self._limit = float(min(self.limit, ceiling) if adaptive else ceiling)
            self._tuner = Tuner(self.limit, ceiling, longest=longest) if adaptive else None
            self._places.wake()

    @property
    def limit(self) -> int:
        return max(1, int(self._limit))

    @property
    def in_flight(self) -> int:
        return self._places.taken

    @contextlib.asynccontextmanager
    async def slot(self, halted: asyncio.Event | None = None) -> AsyncIterator[None]:
        """Hold one place among the requests; waits for it, and while the endpoint demands a pause.

        Raises:
            RunStopped: ``halted`` was passed to ``halt``.
        """
        await self._places.take(halted)
        try:
            while (pause := self._paused_until - time.monotonic()) > 0:
                await self._places.pause(pause, halted)
            yield
        finally:
            self._places.leave()

    def halt(self, halted: asyncio.Event | None = None) -> None:
        """Give no more slots to those that wait with ``halted``."""
        self._places.halt(halted)

    def answered(self, seconds: float) -> None:
        """Note a reply that took ``seconds``; may change the limit."""
        self._latency = seconds if not self._latency else 0.9 * self._latency + 0.1 * seconds
        if self._tuner is None:
            self._limit = min(self._limit + 1 / self.limit, float(self.ceiling))  # recover from a complaint
        else:
            saturated = self._places.taken >= self.limit
            before = self.limit
            self._limit = float(self._tuner.note(time.monotonic(), seconds, saturated=saturated))
            if self.limit != before:
                _log.debug("requests-at-once limit=%d before=%d", self.limit, before)
        self._places.wake()

    def overloaded(self, retry_after: float | None) -> None:
        """Lower the limit; ``retry_after`` in seconds pauses all requests that long."""
        now = time.monotonic()
        if retry_after:
            self._paused_until = max(self._paused_until, now + min(retry_after, MAX_PAUSE))
            _log.info("paused wait=%.1fs cause=Retry-After", retry_after)
        # Requests that were under way together are one complaint, not many.
        if now - self._lowered_at > max(self._latency, 0.2):
            self._lowered_at = now
            before, self._limit = self.limit, max(1.0, self._limit * 0.7)
            _log.info("overloaded limit=%d before=%d", self.limit, before)
            if self._tuner is not None:
                self._tuner.lowered_to(self.limit, now)


class Limited(Wrapper):
    """Takes a slot for each call and gives up a call that hangs.

    ``timeout`` in seconds bounds a call as a whole, whatever the captioner within does; None leaves it
    to the captioner.
    """

    def __init__(self, inner: Captioner, concurrency: Concurrency, *, timeout: float | None) -> None:
        super().__init__(inner)
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
    def limit_key(self) -> Hashable:
        return self._concurrency

    def halt(self) -> None:
        self._concurrency.halt(self._halted)
        self.inner.halt()

    async def caption(self, picture: Picture, prompt: Prompt) -> Reply:
        async with self._concurrency.slot(self._halted):
            start = time.perf_counter()
            try:
                async with asyncio.timeout(self._timeout):
                    reply = await self.inner.caption(picture, prompt)
            except TimeoutError:
                self._concurrency.overloaded(None)
                message = f"{self.name} did not respond within {self._timeout:g} s"
                raise Retryable("timeout", message) from None
            except Retryable as error:
                if error.status in _OVERLOADED or error.kind == "timeout":
                    self._concurrency.overloaded(error.retry_after)
                raise
            self._concurrency.answered(time.perf_counter() - start)
            return reply
