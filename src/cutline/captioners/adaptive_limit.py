"""The search for the number of requests at once that brings the most replies per second.

Pure arithmetic on times that are handed in, so that it can be tried out without an endpoint.
"""

from __future__ import annotations

import dataclasses
import math

_GROWTH = 1.15  # twice the requests must bring this much, or the ceiling is reached
_ROOM = 1.1  # what is kept above the number that the rate and the latency account for
_KEPT = 0.75  # of the rate with half the requests: then the other half only waited
_GAIN = 1.03  # a step up must bring this much
_LOSS = 0.99  # a step down may cost this much
_STEP = 1 / 8  # of the limit; doubles with every step up that was kept
_MOST_REST = 16  # epochs without a try, after many that brought nothing
_NEAR = 0.8  # within this share of the limit that the endpoint complained of, go slowly
_FREE_STEP = 1.25  # growth while nothing waits at the endpoint
_FEWEST = 16  # replies that tell a rate
_FEWEST_SLOTS = 4
_FEW = 8  # replies that tell a rate from half of it
_WAITING = 1.15  # latency above this share of the base means that requests wait for each other
_COLLAPSE = 0.7  # the rate fell below this share while latency doubled: the endpoint breaks down


@dataclasses.dataclass(slots=True)
class _Epoch:
    """What was seen since the limit last changed."""

    start: float
    replies: int = 0
    latency: float = 0.0
    least: float = math.inf  # seconds of a reply
    saturated: int = 0


class Tuner:
    """Give it every reply; it says how many requests there may be at once.

    ``longest``: seconds that replies should not come to take.
    """

    def __init__(self, start: int, ceiling: int, *, longest: float = math.inf) -> None:
        self._limit = start
        self._ceiling = ceiling
        self._longest = longest
        self._doubling = True
        self._halving = False
        self._start = start
        self._epoch: _Epoch | None = None
        self._base_latency = 0.0  # at the fewest requests seen
        self._first_latency = 0.0  # the shortest of the first epoch
        self._last_rate = 0.0
        self._doubted = False
        self._climb = _Climb(start)
        self._complaint = math.inf  # the limit at which the endpoint last complained
        self._settling = False

    def note(self, now: float, seconds: float, *, saturated: bool) -> int:
        """One reply at ``now``, after ``seconds``; ``saturated``: as many were under way as are allowed."""
        epoch = self._epoch = self._epoch or _Epoch(now - seconds)
        epoch.replies += 1
        epoch.latency += seconds
        epoch.least = min(epoch.least, seconds)
        epoch.saturated += saturated
        enough = self._limit if self._doubling else max(self._limit, _FEWEST)
        if self._halving and not self._settling:
            enough = max(2 * self._limit, _FEW)
        if epoch.replies >= enough and (self._doubling or self._long_enough(epoch, now)):
            if self._settling:  # replies to requests from before the complaint
                self._settling = False
            else:
                self._limit = self._next(epoch, now)
            self._epoch = _Epoch(now)
        return self._limit

    def lowered_to(self, limit: int, now: float) -> None:
        """The endpoint complained: continue from a lower limit."""
        self._doubling = self._halving = False
        self._complaint = self._limit
        self._limit = limit
        self._climb = _Climb(limit)
        self._epoch = _Epoch(now)
        self._settling = True

    def _long_enough(self, epoch: _Epoch, now: float) -> bool:
        return now - epoch.start >= max(0.5, 2 * epoch.latency / epoch.replies)

    def _next(self, epoch: _Epoch, now: float) -> int:
        if epoch.saturated < 0.5 * epoch.replies:
            return self._limit  # the pictures, not the limit, held us back: nothing learnt
        rate = epoch.replies / max(now - epoch.start, 1e-6)
        latency = epoch.latency / epoch.replies
        self._base_latency = min(self._base_latency or latency, latency)
        self._first_latency = self._first_latency or epoch.least
        if self._halving:
            return self._after_half(rate)
        if self._doubling:
            return self._after_double(rate, latency)
        if latency > _WAITING * self._base_latency:
            return self._climb.step(self._limit, rate, latency, self._ceiling)
        # Nothing waits at the endpoint: it can take more. Near an earlier complaint, one by one.
        near = _NEAR <= self._limit / self._complaint <= 1 / _NEAR
        more = self._limit + 1 if near else max(self._limit + 1, round(self._limit * _FREE_STEP))
        return self._from(min(more, self._ceiling))

    def _from(self, limit: int) -> int:
        """Climb from this limit on."""
        self._climb = _Climb(limit)
        return limit

    def _after_double(self, rate: float, latency: float) -> int:
        # Where replies take long already, twice the requests would run into the time limit.
        may_double = self._limit < self._ceiling and 2 * latency < self._longest
        if rate >= _GROWTH * self._last_rate and may_double:
            self._last_rate = rate
            self._doubted = False
            return min(2 * self._limit, self._ceiling)
        if 2 * latency >= self._longest and not self._last_rate and self._mostly_wait(self._limit, rate):
            self._doubling, self._last_rate = False, rate
            return self._half()
        if not self._doubted:  # replies to requests sent before the doubling may hide its effect
            self._doubted = True
            return self._limit
        self._doubling = False
        # A small gain is one too: servers that batch go on getting better for long.
        known = self._limit if rate > _GAIN * self._last_rate else self._limit // 2
        self._last_rate = max(rate, self._last_rate)
        # Little's law: so many requests are at work when each takes the base latency.
        at_work = round(_ROOM * self._last_rate * self._base_latency) + 1
        limit = max(known, min(at_work, self._limit))
        if known <= self._start and self._mostly_wait(known, self._last_rate):
            self._limit = limit
            return self._half()
        return self._from(limit)

    def _mostly_wait(self, limit: int, rate: float) -> bool:
        """Whether less than half of so many may be at work, by the shortest of the first replies."""
        return 2 * rate * self._first_latency < limit

    def _half(self) -> int:
        self._halving = self._limit > 1
        self._settling = True  # half of those under way have to be answered first
        return self._from(max(1, self._limit // 2))

    def _after_half(self, rate: float) -> int:
        if rate >= _KEPT * self._last_rate:
            return self._half()
        self._halving = False
        return self._from(min(2 * self._limit + 1, self._ceiling))


class _Climb:
    """Hill climbing on replies per second."""

    def __init__(self, home: int) -> None:
        self._home = home
        self._rate = 0.0
        self._latency = 0.0
        self._step = _STEP
        self._up = True
        self._rest = 0
        self._fruitless = 0

    def step(self, limit: int, rate: float, latency: float, ceiling: int) -> int:
        """The limit to try next, after an epoch at ``limit`` gave ``rate`` and ``latency``."""
        if limit == self._home:
            return self._at_home(rate, latency, ceiling)
        if rate < self._rate * (_GAIN if limit > self._home else _LOSS):
            self._up = not self._up
            self._step = _STEP
            self._fruitless = min(2 * self._fruitless + 1, _MOST_REST)
            self._rest = self._fruitless
            return self._home
        if limit > self._home:
            self._step = min(2 * self._step, 1.0)
        self._home, self._latency, self._fruitless = limit, latency, 0
        # A step down keeps the old rate as the measure, or small losses would add up.
        self._rate = max(rate, self._rate)
        return self._try(ceiling)

    def _at_home(self, rate: float, latency: float, ceiling: int) -> int:
        if self._rate and rate < _COLLAPSE * self._rate and latency > 2 * self._latency:
            self._home = max(1, round(self._home * _ROOM * rate / self._rate))
            self._rate = 0.0
            return self._home
        self._latency = latency if not self._rate else 0.7 * self._latency + 0.3 * latency
        self._rate = rate if not self._rate else 0.7 * self._rate + 0.3 * rate
        if self._rest > 0:  # after fruitless tries stay longer: each try costs a little
            self._rest -= 1
            return self._home
        return self._try(ceiling)

    def _try(self, ceiling: int) -> int:
        if self._home < _FEWEST_SLOTS:
            self._up = True  # one less is too large a step
        change = max(1, round(self._home * (self._step if self._up else _STEP)))
        tried = max(1, min(self._home + change if self._up else self._home - change, ceiling))
        if tried == self._home:
            self._up = not self._up
        return tried
