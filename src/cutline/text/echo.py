"""Sentences of a prompt that come back in a caption."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

from cutline.text.differences import words
from cutline.text.sentences import pieces_of

_FEWEST: Final = 4  # words of a sentence that is looked for; a shorter prompt is, as a whole, from three on
_SHARE: Final = 0.8  # of a sentence's words, in a row


def echo_of(text: str, prompt: str) -> str:
    """The first sentence of the prompt that is in the text, wholly or nearly so; empty where none is."""
    said = words(text)
    runs: dict[int, set[tuple[str, ...]]] = {}  # of the text, by their length
    pieces = [piece.text for piece in pieces_of(prompt, lambda _: True)]
    fewest = _FEWEST if len(pieces) > 1 else _FEWEST - 1
    for piece in pieces:
        wanted = words(piece)
        size = max(fewest, math.ceil(_SHARE * len(wanted)))
        if fewest <= len(wanted) and size <= len(said):
            if size not in runs:
                runs[size] = set(_runs(said, size))
            if not runs[size].isdisjoint(_runs(wanted, size)):
                return piece
    return ""


def _runs(found: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    """The n-grams of the words."""
    return (tuple(found[start : start + size]) for start in range(len(found) - size + 1))
