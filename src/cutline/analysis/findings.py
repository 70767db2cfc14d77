"""What a check finds in captions."""

from __future__ import annotations

import dataclasses
import re
from typing import Final, Literal, get_args

Check = Literal[
    "frequent",
    "opener",
    "repetition",
    "sentence",
    "same",
    "near",
    "picture",
    "spelling",
    "case",
    "prompt",
    "once",
]
CHECKS: Final[tuple[Check, ...]] = get_args(Check)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """``text`` is what was found in ``count`` captions; ``message`` says what of it.

    ``query`` finds the captions; where it finds others too, ``rows`` are exactly those, by their places among
    the captions that were checked. ``replace``: the old and new text of the edit that mends them, if there is
    one that is right for most. ``pattern``: what the edit removes, where ``text`` alone would say too little.
    """

    check: Check
    text: str
    count: int
    message: str
    query: str
    rows: tuple[int, ...] = ()
    replace: tuple[str, str] | None = None
    pattern: str = ""
    is_ignored: bool = False


def phrase_query(text: str) -> str:
    """The query that finds a text as a phrase."""
    return pattern_query(text) if '"' in text or "\n" in text else f'"{text}"'


def pattern_query(text: str, before: str = "", behind: str = "") -> str:
    """The query that finds a text as it is, between two patterns."""
    pattern = before + re.escape(text).replace("\\\n", "\\n") + behind
    return "re:/" + pattern.replace("/", "\\/") + "/"
