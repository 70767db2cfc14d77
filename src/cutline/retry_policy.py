"""When a request is sent again: Retry-After, jittered delays, and a bounded number of attempts.

See docs/design/errors.md for which loops use ``with_retries`` and which only the delays.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from cutline.errors import Retryable

if TYPE_CHECKING:
    import stamina

MAX_DELAY = 60.0
CALLERS_PATIENCE = 5.0
"""Seconds after which a caller who waits for one caption learns that the endpoint is away."""
CALLERS_TURN = 30.0
"""Seconds after which that caller learns that the endpoint takes no more requests: less than proxies wait."""
_LONGEST = 100 * 365 * 86400.0  # seconds; dates end soon after the year 9999
_T = TypeVar("_T")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by a response's Retry-After, given in seconds or as a date (RFC 9110, 10.2.3).

    None without one, and for what is no time, such as ``inf``.
    """
    value = headers.get("Retry-After")
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        until = _timestamp(value)
        if until is None:
            return None
        seconds = until - server_time(headers)
    return max(0.0, seconds) if abs(seconds) < _LONGEST else None


def server_time(headers: Mapping[str, str]) -> float:
    """Seconds since 1970 by the response's Date, as clocks differ; by this machine's clock without one."""
    sent = _timestamp(headers.get("Date", ""))
    return time.time() if sent is None else sent


def _timestamp(date: str) -> float | None:
    from email.utils import parsedate_to_datetime

    with contextlib.suppress(ValueError, TypeError, OverflowError):
        return parsedate_to_datetime(date).timestamp()
    return None


def time_after(seconds: float) -> str:
    """The time this many seconds from now, here, to the minute: ``2026-11-28 23:59``."""
    return f"{dt.datetime.now().astimezone() + dt.timedelta(seconds=seconds):%Y-%m-%d %H:%M}"


def delay(
    failures: int, *, first: float, growth: float = 2.0, longest: float = MAX_DELAY, least: float = 0.0
) -> float:
    """Seconds before the next attempt: random, from ``least`` of an exponential bound up to the bound.

    ``first`` is the bound after one failure. Full jitter by default:
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    bound = min(longest, first * growth ** (failures - 1))
    return random.uniform(least * bound, bound)  # noqa: S311 - spreads load, no secret


def spread(seconds: float) -> float:
    """Up to a tenth more, so that clients which got the same Retry-After do not return together."""
    return seconds * random.uniform(1.0, 1.1)  # noqa: S311 - spreads load, no secret


async def with_retries(
    request: Callable[[], Awaitable[_T]], most: int, wait: Callable[[Retryable], float | None]
) -> _T:
    """The result of ``request``, which is called up to ``most`` times; Retryable errors are retried.

    ``wait`` returns the seconds before the next attempt after an error, whose ``attempts`` is set by then,
    or None to raise it.
    """
    try:
        return await request()
    except Retryable as error:
        first = error
    async for attempt in _attempts(most, wait):
        with attempt:
            if attempt.num == 1:  # stamina takes 80 microseconds: only requests that fail go through it
                raise first
            return await request()
    raise AssertionError  # the loop returns or raises


def _attempts(most: int, wait: Callable[[Retryable], float | None]) -> AsyncIterator[stamina.Attempt]:
    # Its default hooks log every retry and import prometheus_client; a host that uses stamina keeps its own.
    has_own_hooks = "stamina" in sys.modules
    import stamina

    if not has_own_hooks:
        stamina.instrumentation.set_on_retry_hooks(())
    numbers = itertools.count(1)

    def hook(error: Exception) -> float | bool:
        if not isinstance(error, Retryable):
            return False
        error.attempts = next(numbers)
        seconds = wait(error)
        return False if seconds is None else seconds

    return aiter(stamina.retry_context(on=hook, attempts=most, timeout=None))
