"""How much of a text was in it before, and the text without an end that repeats it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import regex

from cutline.text.differences import words
from cutline.text.sentences import Piece, joined, pieces_of
from cutline.text.words import SPACELESS

PHRASE: Final = 5
"""Words of a phrase; in scripts without blanks, where each character counts as a word, twice as many."""

MOST_REPEATED: Final = 0.15
"""The share of repeated words that three of 6,290 human captions exceed, and every loop that drifts."""

_SPACELESS: Final = regex.compile(f"[{SPACELESS}]")
_COMMAS: Final = frozenset(",;:，、；：")  # noqa: RUF001 - of other scripts
_REPEATED: Final = 0.5  # share of a sentence's words that lie in phrases of before, for it to go
_ALIKE: Final = 0.6  # share of its words that another sentence has too
_FEWEST: Final = 3  # words of a sentence that may be the beginning of another


def repetition(text: str) -> float:
    """The share of the words that lie in a phrase of five words which the text had before, from 0 to 1."""
    found = words(text)
    return sum(_said_before(found)) / len(found) if found else 0.0


def _said_before(found: Sequence[str]) -> list[bool]:
    """For each word whether it is in a phrase that ended, or began, further ahead in the text."""
    size = PHRASE * 2 if sum(_is_spaceless(word) for word in found) > len(found) / 2 else PHRASE
    seen: set[tuple[str, ...]] = set()
    repeated = [False] * len(found)
    for start in range(len(found) - size + 1):
        phrase = tuple(found[start : start + size])
        if phrase in seen:
            repeated[start : start + size] = [True] * size
        seen.add(phrase)
    return repeated


def _is_spaceless(word: str) -> bool:
    return not word.isascii() and _SPACELESS.match(word) is not None


def without_repeated_end(text: str, most: float) -> str:
    """The text without the sentences or clauses at its end that repeat others; empty if that is not enough.

    ``most`` is the share of repeated words, as ``repetition`` gives it, that may be left.
    """
    for fits in (lambda _: True, lambda part: _COMMAS.isdisjoint(part[:-1])):  # sentences, then clauses
        pieces = pieces_of(text, fits)
        kept = _ends_before(pieces)
        rest = joined(pieces, [place < kept for place in range(len(pieces))])
        if kept < len(pieces) and words(rest) and repetition(rest) <= most:
            return rest
    return ""


def _ends_before(pieces: Sequence[Piece]) -> int:
    """How many pieces there are before those at the end that only repeat."""
    split = [words(piece.text) for piece in pieces]
    repeated = _said_before([word for piece in split for word in piece])
    starts = [sum(map(len, split[:place])) for place in range(len(split))]
    kept = len(pieces)
    while kept > 1:
        piece = split[kept - 1]
        said = sum(repeated[starts[kept - 1] :][: len(piece)])
        if said < _REPEATED * len(piece) and not any(_resembles(piece, other) for other in split[: kept - 1]):
            break
        kept -= 1
    return kept


def _resembles(piece: Sequence[str], other: Sequence[str]) -> bool:
    """Whether a sentence has most words of another one, or is its beginning, where it was cut."""
    size = len(piece)
    if size < _FEWEST:
        return list(piece) == list(other)
    shared = (Counter(piece) & Counter(other)).total()
    return shared >= _ALIKE * max(size, len(other)) or list(piece) == list(other[:size])
