"""When to ask again: the server's wish, or an exponential, jittered delay."""

from __future__ import annotations

import contextlib
import email.utils
import random
import time

MAX_DELAY = 60.0


def retry_after(value: str | None) -> float | None:
    """Seconds to wait by a Retry-After header, given in seconds or as a date (RFC 9110, 10.2.3)."""
    if not value:
        return None
    with contextlib.suppress(ValueError):
        return max(0.0, float(value))
    with contextlib.suppress(ValueError, TypeError):
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    return None


def delay(failures: int, *, first: float) -> float:
    """Seconds before the next attempt after so many failures, ``first`` being the longest first one.

    Full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    longest = min(MAX_DELAY, first * 2 ** (failures - 1))
    return random.uniform(0.0, longest)  # noqa: S311 - spreads load, no secret
