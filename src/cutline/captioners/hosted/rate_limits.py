"""Parse Retry-After and rate-limit headers, in the form of each service.

``Retry-After`` is the standard's (RFC 9110, 10.2.3), ``retry-after-ms`` OpenAI's, ``x-ms-retry-after-ms``
Azure's. Where there is none, ``x-ratelimit-reset-*`` tells when a limit that is used up begins again (OpenAI
and many others; Anthropic's are ``anthropic-ratelimit-*-reset``), ``x-ratelimit-reset`` the same of the only
limit (Together in seconds, OpenRouter as a time), and ``RateLimit`` and ``RateLimit-Reset`` are forms of the
IETF's drafts (Hugging Face; Mistral). Times count by the response's own Date.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import time
from collections.abc import Mapping

from cutline.retry_policy import retry_after, server_time

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SPAN = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_YEAR = 365 * 86400.0
_MILLISECONDS = ("retry-after-ms", "x-ms-retry-after-ms")
_RESET = re.compile(r"(x-|anthropic-)?ratelimit.*reset", re.IGNORECASE)
_DRAFT = re.compile(r"\b(?:t|reset)=(\d+)")


def requested_wait(headers: Mapping[str, str], *, limited: bool) -> float | None:
    """Seconds to wait by an answer's headers; None where they do not say.

    ``limited``: the response reports too many requests, so that exhausted limits count.
    """
    for name in _MILLISECONDS:
        with contextlib.suppress(ValueError, KeyError):
            milliseconds = float(headers[name])
            if abs(milliseconds) < 1000 * _YEAR:
                return max(0.0, milliseconds / 1000)
    now = server_time(headers)
    header = retry_after(headers)
    if header is None:
        header = span(headers.get("Retry-After", ""), now)
    if header is not None or not limited:
        return header
    resets = [name for name in headers if _RESET.match(name)]
    used_up = [name for name in resets if _is_zero(headers, name.lower().replace("reset", "remaining"))]
    # Of a day or month nobody waits for the rest because a minute's limit is exceeded.
    short = [name for name in resets if not name.lower().endswith(("-day", "-month"))]
    waits = [wait for name in used_up or short or resets if (wait := span(headers[name], now)) is not None]
    if draft := _DRAFT.search(headers.get("RateLimit", "")):
        waits.append(float(draft[1]))
    return max(waits, default=None)


def _is_zero(headers: Mapping[str, str], name: str) -> bool:
    try:
        return float(headers[name]) == 0
    except (ValueError, KeyError):
        return False


def span(text: str, now: float | None = None) -> float | None:
    """Seconds from now: ``6m0s``, ``12ms``, ``7``, a time in seconds or milliseconds since 1970, or a date.

    None for anything else, and for a time that has passed. ``now`` in seconds since 1970 is this machine's
    by default.
    """
    text, now = text.strip(), time.time() if now is None else now
    seconds: float | None = None
    if _SPAN.fullmatch(text):
        seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    else:
        for read in (_from_number, _from_date):
            with contextlib.suppress(ValueError):
                seconds = read(text, now)
                break
    return seconds if seconds is not None and 0 < seconds < _YEAR else None


def _from_number(text: str, now: float) -> float:
    number = float(text)
    if number > 1000 * _YEAR:  # milliseconds since 1970
        number /= 1000
    return number - now if number > _YEAR else number


def _from_date(text: str, now: float) -> float:
    return dt.datetime.fromisoformat(text).timestamp() - now
