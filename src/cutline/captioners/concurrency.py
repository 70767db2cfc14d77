"""The number of concurrent requests to an endpoint, fixed or tuned while it is used.

The limit doubles each round trip while that brings clearly more replies per second, then climbs in
steps. An endpoint that breaks down (latency doubles, the rate falls) or times out lowers it at once.
Refusals (429, 503) are the matter of `throttle`. See docs/design/concurrency.md.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import logging
import math
import time

from cutline.captioners.adaptive_limit import Tuner
from cutline.captioners.outage import OutageDetector, Verdict
from cutline.captioners.pace_search import Window
from cutline.captioners.server_queue import ServerQueue
from cutline.captioners.throttle import Throttle
from cutline.errors import Rejected, RequestError, Retryable
from cutline.records import Slowdown
from cutline.retry_policy import CALLERS_PATIENCE, CALLERS_TURN
from cutline.slots import LocalSlots, has_waiting_caller, pause, shows_progress

_log = logging.getLogger(__name__)
_AWAY = frozenset({"unreachable", "connection"})
_AWAY_STATUSES = frozenset({502, 504, 520, 521, 522, 523, 524, 525, 526, 527, 529, 530})
_HANGING = 256
_LATE_STATUSES = frozenset({408, 499, 503, 504, 524})
"""What proxies and servers send for a request that waited too long."""
_OVERTAKEN = 4  # times the limit; after so many later replies a time-out says nothing of the number at once
_DEFAULT_LATENCY = 0.1  # seconds, until a reply has come


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Demand:
    """What one captioner allows: ``ceiling`` requests, or as many as are found to be best up to it.

    ``timeout`` in seconds for one request.
    """

    ceiling: int
    adaptive: bool = True
    timeout: float = math.inf


@dataclasses.dataclass(slots=True, eq=False)
class Request:
    """A request that holds a slot; ``start`` on the monotonic clock."""

    start: float
    window: Window | None
    subject: int
    is_answered: bool = False


class Concurrency:
    """The number of requests allowed at once to one endpoint; found from ``start`` on unless it is fixed.

    Captioners that share it keep the smallest ceiling among their demands.
    """

    def __init__(self, demand: Demand, *, start: int = 16) -> None:
        self._demands = [demand]
        self._places = LocalSlots(lambda: self.limit)
        self.throttle = Throttle()
        self._causes: collections.Counter[str] = collections.Counter()
        self._cause = ""
        self._turn = LocalSlots(lambda: 1)
        self._waiting = 0
        self._queue = ServerQueue(demand.timeout)
        self._lowered_at = 0.0
        self._outage = OutageDetector()
        # Pictures that hung while others were answered: when they hang again, no endpoint is away.
        self._hanging: collections.deque[int] = collections.deque(maxlen=_HANGING)
        self._too_many = math.inf  # requests at once, when one timed out
        self.limit, self._exact = start, float(start)
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
            self._set_limit(min(self.limit, ceiling) if adaptive else ceiling)
            self._tuner = Tuner(self.limit, ceiling, longest=longest) if adaptive else None
            self._places.wake()

    def _set_limit(self, exact: float) -> None:
        self._exact, self.limit = exact, max(1, int(exact))

    @property
    def in_flight(self) -> int:
        return self._places.taken - self._waiting

    async def acquire(self, halted: asyncio.Event, subject: int = 0) -> Request:
        """Take one place among the requests; waits for it, and as long as the throttle holds requests back.

        ``subject`` is the same for all attempts of a picture, and another one for each picture. The place
        is held until ``release``.

        Raises:
            RunStopped: ``halted`` was passed to ``halt``.
            Rejected: the endpoint is away, and a caller waits.
        """
        await (self._take_unless_away(halted) if has_waiting_caller() else self._take(halted))
        now = time.monotonic()
        return Request(now, self.throttle.sent(now), subject)

    def release(self, request: Request) -> None:
        """Give the place of a request back."""
        if not request.is_answered:
            self.throttle.abandoned()
        self._places.leave()

    async def _take(self, halted: asyncio.Event) -> None:
        await self._places.take(halted)
        if self.throttle.is_holding:
            try:
                await self._wait_for_turn(halted)
            except BaseException:
                self._places.leave()
                raise

    async def _take_unless_away(self, halted: asyncio.Event) -> None:
        """As ``_take``; raises Rejected where the endpoint is away after the patience of a caller."""
        loop = asyncio.get_running_loop()
        timer: asyncio.TimerHandle
        start, is_limited = loop.time(), False

        def look() -> None:
            nonlocal timer, is_limited
            is_limited = self.throttle.is_limited
            if self.throttle.is_closed and not (is_limited and loop.time() - start < CALLERS_TURN):
                limit.reschedule(loop.time())
            else:
                timer = loop.call_later(CALLERS_PATIENCE, look)

        timer = loop.call_later(CALLERS_PATIENCE, look)
        try:
            async with asyncio.timeout(None) as limit:
                await self._take(halted)
        except TimeoutError:
            kind, why = ("rate-limit", "refuses requests") if is_limited else ("endpoint", "is away")
            raise Rejected(kind, f"nothing is sent while the endpoint {why} ({self._cause})") from None
        finally:
            timer.cancel()

    async def _wait_for_turn(self, halted: asyncio.Event) -> None:
        self._waiting += 1
        try:
            async with self._turn.one():
                while (seconds := self.throttle.wait(time.monotonic())) > 0:
                    await pause(seconds, halted)
        finally:
            self._waiting -= 1

    @property
    def slowdown(self) -> Slowdown:
        """What refusals cost so far."""
        throttle, now = self.throttle, ""
        if throttle.is_closed:
            now = f"waiting for the endpoint ({self._cause})"
        elif throttle.pace < math.inf:
            now = f"slowed to {throttle.pace:,.3g}/s by {self._cause}"
        return Slowdown(times=dict(self._causes), seconds=throttle.held(time.monotonic()), now=now)

    def halt(self, halted: asyncio.Event) -> None:
        """Give no more slots to those that wait with ``halted``."""
        self._places.halt(halted)

    def answered(self, request: Request) -> None:
        """Note a reply; may change the limit."""
        now = time.monotonic()
        seconds = now - request.start
        request.is_answered = True
        self.throttle.admitted(now, seconds)
        self._queue.note(now, request.start)
        self._outage.answered(request.subject)
        if self._tuner is None:
            if self._exact < self.ceiling:  # recover from time-outs
                growth = 1.0 if self._exact < 0.7 * self._too_many else 0.2
                self._set_limit(min(self._exact + growth / self.limit, self.ceiling))
        else:
            saturated = self.in_flight >= self.limit
            before, limit = self.limit, self._tuner.note(now, seconds, saturated=saturated)
            if limit != before:
                self._set_limit(limit)
                _log.debug("requests-at-once limit=%d before=%d", limit, before)
        self._places.wake()

    def deadline(self, request: Request, timeout: float) -> float:
        """When the request has timed out (monotonic clock); later while it waits for others there."""
        return self._queue.deadline(request.start, timeout)

    async def failed(self, request: Request, error: RequestError, halted: asyncio.Event) -> None:
        """Note an error response, or that none came.

        A refused request keeps its slot for about as long as a reply takes: refusals are fast, and slots
        that are free at once would turn them into a flood of requests.
        """
        now = time.monotonic()
        request.is_answered = True
        throttle, was_closed, pace = self.throttle, self.throttle.is_closed, self.throttle.pace
        is_late = error.kind == "timeout" or (
            error.status in _LATE_STATUSES and 0 < throttle.latency < now - request.start
        )
        is_refusal = error.is_refusal and not is_late
        is_there = bool(throttle.latency) or (error.kind != "unreachable" and shows_progress())
        is_page = error.kind == "malformed" and bool(throttle.latency)  # it has sent others: now a proxy does
        is_away = is_page or (is_there and (error.kind in _AWAY or error.status in _AWAY_STATUSES))
        if is_late:
            served = self._queue.since(request.start)
            # A plug-in whose call is given up, and not sent again, is here.
            is_away = not served and isinstance(error, Retryable) and request.subject not in self._hanging
            if self._queue.is_overtaken(request.start):
                self._hanging.append(request.subject)
            self._lower(now, served)
        if is_refusal or is_away:
            self._cause = str(error.status or error.kind)
            self._causes[self._cause] += 1
        if is_refusal:
            retry_after = error.retry_after if isinstance(error, Retryable) else None
            throttle.refused(
                now, request.window, now - request.start, retry_after, limited=error.status == 429
            )
        elif is_away:
            throttle.failed(now)
        else:
            throttle.admitted(now)
            if error.status and not is_late:
                self._queue.note(now, request.start)
        self._judge(request, error, is_away=is_away or (is_refusal and error.status == 503))
        if throttle.is_closed and not was_closed:
            _log.info("all requests wait cause=%s", error)
        elif throttle.pace != pace:
            _log.info("pace=%.1f/s before=%.1f/s cause=%s", throttle.pace, pace, error)
        if is_refusal and not throttle.is_closed:
            seconds = throttle.latency or _DEFAULT_LATENCY
            await pause(seconds if retry_after is None else min(seconds, retry_after), halted)

    def _judge(self, request: Request, error: RequestError, *, is_away: bool) -> None:
        """Mark the error of a request that says nothing of its picture, or may not."""
        verdict = self._outage.failed(
            request.subject,
            is_away=is_away,
            is_silent=self.throttle.is_silent,
            others=self.in_flight - 1,
        )
        error.is_outage = verdict is Verdict.OUTAGE
        error.may_be_outage = verdict is Verdict.UNDECIDED

    def _lower(self, now: float, served: int) -> None:
        """Note that a request timed out while ``served`` others got a reply."""
        # Requests that were under way together are one complaint, not many.
        if served <= _OVERTAKEN * self.limit and now - self._lowered_at > max(self.throttle.latency, 0.2):
            self._lowered_at = now
            before = self.limit
            self._too_many = self._exact
            # In the order of a queue, the endpoint serves no more than these within the time.
            self._set_limit(max(1.0, 0.7 * min(self._exact, served or math.inf)))
            _log.info("timed-out limit=%d before=%d", self.limit, before)
            if self._tuner is not None:
                self._tuner.lowered_to(self.limit, now)
