"""Tell a quota of the day, week or month from a limit per second or minute, and when it returns.

Services name the period in the message (OpenAI, Groq, Anthropic, OpenRouter, GitHub, Zhipu), in ids of quotas
(Gemini, whose message is the same for each period) or in names of headers (Cerebras, Mistral).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import zoneinfo
from collections.abc import Iterable, Mapping, Sequence

from cutline.retry_policy import time_after

_PERIOD = re.compile(
    r"(?:per|by|a|/)[ _-]?(?P<unit>second|minute|min|hour|day|week|month)(?-i:(?![a-z]))"
    r"|(?P<adverb>daily|weekly|monthly)|[每当今](?P<han>[日天周月])|(?<![a-z])(?P<short>[RT]P[SMHD])(?![a-z])"
    r"|per (?P<seconds>\d+) ?s(?:econds)?\b",
    re.IGNORECASE,
)
_LONG_UNITS = {
    **dict.fromkeys(("day", "daily", "rpd", "tpd", "日", "天"), "day"),
    **dict.fromkeys(("week", "weekly", "周"), "week"),
    **dict.fromkeys(("month", "monthly", "月"), "month"),
}
_DAY = 86400
_NONE = re.compile(r"\blimit:? 0\b(?![.,]?\d)", re.IGNORECASE)
_WAIT = re.compile(
    r"(?:again|retry|wait)(?:\s+(?:in|after|for))?\s+((?:\d+(?:\.\d+)?\s?[a-z]+[\s,]*)+)", re.IGNORECASE
)
_PART = re.compile(r"(\d+(?:\.\d+)?)\s?([a-z]+)", re.IGNORECASE)
_SECONDS = (("ms", 0.001), ("mil", 0.001), ("mo", 30 * 86400.0), ("m", 60.0), ("h", 3600.0), ("d", 86400.0))


def long_period(message: str, ids: Iterable[str], headers: Mapping[str, str]) -> str | None:
    """``day``, ``week`` or ``month`` where a refusal (429) is for such a quota.

    Args:
        message: of the error. Where it names several periods, the first one counts.
        ids: of the quotas that are exceeded.
        headers: of the response.
    """
    for text in ids:
        if match := re.search(r"Per(Day|Week|Month)", text):
            return match[1].lower()
    for name, value in headers.items():
        match = re.fullmatch(r"x-ratelimit-remaining-.*(day|week|month)", name.lower())
        if match and value.strip() in {"0", "0.0"}:
            return match[1]
    if not (named := _PERIOD.search(message)):
        return None
    if named["seconds"]:
        return "day" if int(named["seconds"]) >= _DAY else None
    return _LONG_UNITS.get((named["unit"] or named["adverb"] or named["han"] or named["short"]).lower())


def has_no_quota(message: str) -> bool:
    """Whether the limit that was exceeded is none at all, as of a model outside Gemini's free tier."""
    return _NONE.search(message) is not None


def wait_within(message: str) -> float | None:
    """Seconds to wait by the words of an error: ``try again in 7m12s``, ``retry after 20 seconds``."""
    found = _WAIT.search(message)
    if not found:
        return None
    seconds = 0.0
    for number, unit in _PART.findall(found[1]):
        name = unit.lower()
        factor = next((factor for start, factor in _SECONDS if name.startswith(start)), None)
        if factor is None and name not in {"s", "sec", "secs", "second", "seconds"}:
            break
        seconds += float(number) * (factor or 1.0)
    return seconds or None


def used_up(period: str, ids: Sequence[str], wait: float | None) -> str:
    """What to do about the quota of a ``period``; ``ids`` as for ``long_period``, ``wait`` in seconds."""
    if ids and period == "day":  # https://ai.google.dev/gemini-api/docs/rate-limits
        wait = _until_midnight("America/Los_Angeles") or wait
    back = f"it admits requests again at {time_after(wait)}: run the same command then" if wait else ""
    return f"the quota of the {period} is used up; {back or 'run the same command when it returns'}"


def _until_midnight(zone: str) -> float | None:
    """Seconds until the day ends there; None where the machine does not know the zone."""
    with contextlib.suppress(zoneinfo.ZoneInfoNotFoundError):
        now = dt.datetime.now(zoneinfo.ZoneInfo(zone))
        tomorrow = (now + dt.timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return tomorrow.timestamp() - now.timestamp()
    return None
