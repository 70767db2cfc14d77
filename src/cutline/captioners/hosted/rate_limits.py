"""Parse Retry-After and rate-limit headers, in the form of each service.

``Retry-After`` is the standard's (RFC 9110, 10.2.3), ``retry-after-ms`` OpenAI's. Where there is neither,
``x-ratelimit-reset-*`` tells when a limit that is used up begins again (OpenAI and many others),
``x-ratelimit-reset`` the same of the only limit (Together in seconds, OpenRouter as a time), and
``RateLimit`` is the form of the IETF's draft (Hugging Face).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import time
from collections.abc import Mapping

from cutline.retry_policy import retry_after

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SPAN = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_YEAR = 365 * 86400.0
_DRAFT = re.compile(r"\bt=(\d+)")


def requested_wait(headers: Mapping[str, str], *, limited: bool) -> float | None:
    """Seconds to wait by an answer's headers; None where they do not say.

    ``limited``: the response reports too many requests, so that exhausted limits count.
    """
    with contextlib.suppress(ValueError, KeyError):
        return max(0.0, float(headers["retry-after-ms"]) / 1000)
    header = retry_after(headers.get("Retry-After"))
    if header is not None or not limited:
        return header
    resets = [name for name in headers if name.lower().startswith("x-ratelimit-reset")]
    used_up = [name for name in resets if _is_zero(headers, name.lower().replace("reset", "remaining"))]
    # Of a day or month nobody waits for the rest because a minute's limit is exceeded.
    short = [name for name in resets if not name.lower().endswith(("-day", "-month"))]
    waits = [wait for name in used_up or short or resets if (wait := span(headers[name])) is not None]
    if draft := _DRAFT.search(headers.get("RateLimit", "")):
        waits.append(float(draft[1]))
    return max(waits, default=None)


def _is_zero(headers: Mapping[str, str], name: str) -> bool:
    try:
        return float(headers[name]) == 0
    except (ValueError, KeyError):
        return False


def span(text: str) -> float | None:
    """Seconds from now: ``6m0s``, ``12ms``, ``7``, a time in seconds or milliseconds since 1970, or a date.

    None for anything else, and for a time that has passed.
    """
    text = text.strip()
    seconds: float | None = None
    if _SPAN.fullmatch(text):
        seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    else:
        for read in (_from_number, _from_date):
            with contextlib.suppress(ValueError):
                seconds = read(text)
                break
    return seconds if seconds is not None and 0 < seconds < _YEAR else None


def _from_number(text: str) -> float:
    number = float(text)
    if number > 1000 * _YEAR:  # milliseconds since 1970
        number /= 1000
    return number - time.time() if number > _YEAR else number


def _from_date(text: str) -> float:
    return dt.datetime.fromisoformat(text).timestamp() - time.time()
