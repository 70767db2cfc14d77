"""A user's regular expression on a reply: Python's syntax and meaning, with an end to backtracking."""

from __future__ import annotations

import functools
import re
from typing import Any

from cutline.errors import ConfigError, ReplyError

TIMEOUT = 0.25
"""Seconds of backtracking after which a search is given up; a sane pattern needs microseconds."""

_OUTER_TAG = re.compile(r"\s*<([A-Za-z][\w-]*)(?:\s[^<>]*)?>(.*)</\1>\s*", re.DOTALL)
_TOKEN = re.compile(
    r"\\N\{[^}]*\}|\\."  # escapes
    r"|\[\^?\]?(?:\\.|[^\]\\])*\]"  # character sets
    r"|\{\d*,?\d*\}"  # repeats
    r"|\{",  # a brace that is text
    re.DOTALL,
)
_IN_SET = re.compile(r"(\\.)|\[", re.DOTALL)


@functools.lru_cache(maxsize=256)
def compiled(pattern: str) -> Any:
    """``pattern`` for the regex package, which has timeouts; ConfigError: ``re`` does not accept it."""
    import regex

    try:
        checked = re.compile(pattern, re.DOTALL)
        # In a verbose pattern, comments could be mistaken for syntax: it is taken as it is.
        own = pattern if checked.flags & re.VERBOSE else _TOKEN.sub(_as_in_re, pattern)
        return regex.compile(own, regex.DOTALL | regex.VERSION0)
    except (re.error, regex.error, OverflowError, RecursionError) as error:
        raise ConfigError(f"the regex {pattern!r} is not valid: {error}") from error


def extract(text: str, pattern: str) -> str:
    """The group ``caption``, else the first group, else the match without its outer tag; ReplyError."""
    try:
        match = compiled(pattern).search(text, timeout=TIMEOUT)
    except TimeoutError as error:
        raise ReplyError(
            "regex-timeout", f"the regex {pattern!r} was stopped after {TIMEOUT} s of backtracking"
        ) from error
    if match is None:
        start = " ".join(text[:200].split())[:80]
        raise ReplyError("regex-miss", f"the regex {pattern!r} matches nothing in the reply {start!r}")
    named = match.groupdict().get("caption")
    if named is not None:
        return str(named)
    for group in match.groups():  # in an alternation, only one of them takes part
        if group is not None:
            return str(group)
    whole = str(match[0])
    tagged = _OUTER_TAG.fullmatch(whole)
    return tagged[2] if tagged else whole


def _as_in_re(token: re.Match[str]) -> str:
    """Escape what the regex package would read as fuzzy matching or as a POSIX class."""
    text = token[0]
    if text == "{":
        return r"\{"
    if text.startswith("["):
        return "[" + _IN_SET.sub(lambda part: part[1] or r"\[", text[1:])
    return text
