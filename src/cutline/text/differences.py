"""Words, and which of them a caption does not share with another one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Final

import regex

from cutline.text.words import SPACELESS

# Scripts that put no blanks between words are taken character by character.
_LETTER: Final = rf"[[\p{{L}}\p{{M}}\p{{N}}]--[{SPACELESS}]]"
_WORD: Final = regex.compile(rf"[{SPACELESS}]\p{{M}}*|{_LETTER}+(?:['\u2019\-]{_LETTER}+)*", regex.V1)
_ASCII_WORD: Final = re.compile(r"[a-z0-9]+(?:['-][a-z0-9]+)*")
_TOKEN: Final = regex.compile(rf"{_WORD.pattern}|\s+|.", regex.V1 | regex.DOTALL)

_EXACT: Final = 1_000_000
"""Pairs of words that are compared one by one; of longer texts the commonest words count as equal nowhere."""


def words(text: str) -> list[str]:
    """The words of a caption, without punctuation and in one case."""
    if text.isascii():  # the same words, in a fifth of the time
        return _ASCII_WORD.findall(text.lower())
    return [word.casefold() for word in _WORD.findall(text)]


def differing(text: str, other: str) -> Iterator[tuple[str, bool]]:
    """``text`` in pieces, each with whether its words are missing at that place of ``other``.

    Case and spaces make no difference; punctuation alone is never marked.
    """
    tokens = _TOKEN.findall(text)
    places = [place for place, token in enumerate(tokens) if _WORD.fullmatch(token)]
    ours, theirs = [tokens[place].casefold() for place in places], words(other)
    matcher = difflib.SequenceMatcher(None, theirs, ours, autojunk=len(ours) * len(theirs) > _EXACT)
    marked: set[int] = set()
    for kind, _, _, start, end in matcher.get_opcodes():
        if kind in {"insert", "replace"}:
            marked.update(range(places[start], places[end - 1] + 1))  # with what stands between them
    yield from _pieces(tokens, marked)


def _pieces(tokens: list[str], marked: set[int]) -> Iterator[tuple[str, bool]]:
    start = 0
    for place in range(1, len(tokens) + 1):
        if place == len(tokens) or (place in marked) != (start in marked):
            yield "".join(tokens[start:place]), start in marked
            start = place
