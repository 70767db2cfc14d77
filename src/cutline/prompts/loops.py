"""Detects replies that end in a loop: a model that repeats itself until its tokens are used up."""

from __future__ import annotations

import collections
import itertools
import re
from collections.abc import Iterable, Iterator

from cutline.prompts import reply_forms

_TAIL = 24  # characters that must occur again before a period is checked
_DENSE = r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
"""Letters of scripts that have no blanks, or whose words are a few letters."""
_DENSE_WORDS = 12  # times that a word of such a script is repeated in a loop
_NUMBER = re.compile(r"\d+")
_WORD = re.compile(r"\w+")
_DRIFT_FROM = 200  # characters
_DRIFT_TAIL = 3000  # characters that are looked at
_DRIFTING = 12  # phrases in a row that resemble one of the few before
_LOOKBACK = 4
_ALIKE = 0.7  # share of the words


def loop(text: str) -> str:
    """The unit that ``text`` ends in, repeated without a change; else empty.

    Four times a phrase, or sixteen times anything shorter. Only where the tail occurs again is a period
    checked: an ordinary caption costs one search.
    """
    return _period(text, phrase=4, other=16)


def drift(text: str) -> str:
    """A phrase that ``text`` ends in, repeated with small changes, such as a number; else empty."""
    if len(text) < _DRIFT_FROM:
        return ""
    tail = text[-_DRIFT_TAIL:]
    if _NUMBER.search(tail, len(tail) - 80) and (
        unit := _period(_NUMBER.sub("0", tail), phrase=10, other=48)
    ):
        return unit
    return _alike(tail)


def _period(text: str, *, phrase: int, other: int) -> str:
    tail = text[-_TAIL:]
    found = len(text) - len(tail)
    for _ in range(64):
        found = text.rfind(tail, 0, found + len(tail) - 1)
        if found < 0:
            return ""
        period = len(text) - len(tail) - found
        unit = text[-period:]
        times = phrase if _is_phrase(unit) else max(other, -(-64 // period))
        if len(set(re.findall(_DENSE, unit))) > 1:  # a word of a script without blanks
            times = min(times, _DENSE_WORDS)
        length = times * period - 2  # the last unit lost the blank behind it
        if length <= len(text) and text[-length:-period] == text[period - length :]:
            return unit
    return ""


def _is_phrase(unit: str) -> bool:
    if len(unit) >= 12 and len(unit.split()) >= 3:
        return True
    return len(unit) >= 6 and len(set(re.findall(_DENSE, unit))) >= 4


def _alike(text: str) -> str:
    """The last phrase, where many in a row share most of their words with one of the few before.

    From the end: of an ordinary caption only the last phrase is compared, if it has so many at all.
    """
    segments = reply_forms.phrase_end().split(text)
    if len(segments) <= _DRIFTING:
        return ""
    phrases = _phrases(reversed(segments))
    window = collections.deque(itertools.islice(phrases, 1 + _LOOKBACK))
    last = window[0][0] if window else ""
    for _ in range(_DRIFTING):
        if not window:
            return ""
        _, words = window.popleft()
        if not any(_share(words, other) >= _ALIKE for _, other in window):
            return ""
        window.extend(itertools.islice(phrases, 1))
    return last


def _phrases(segments: Iterable[str]) -> Iterator[tuple[str, collections.Counter[str]]]:
    """The phrases with their words; short ones, such as tags, are not compared."""
    for segment in segments:
        words = _WORD.findall(_NUMBER.sub("0", segment).lower())
        if dense := re.findall(_DENSE, segment):
            words = dense if len(dense) >= 6 else []
        if len(words) >= 4:
            yield segment, collections.Counter(words)


def _share(one: collections.Counter[str], other: collections.Counter[str]) -> float:
    return (one & other).total() / max(one.total(), other.total())
