"""Sentences of a prompt that come back in a caption."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cutline.text.differences import words
from cutline.text.sentences import pieces_of

_FEWEST: Final = 4  # words of a sentence that is looked for; a shorter prompt is, as a whole, from three on
_SHARE: Final = 0.8  # of a sentence's words, one behind the other


def echo_of(text: str, prompt: str) -> str:
    """The first sentence of the prompt that is in the text, wholly or nearly so; empty where none is."""
    said = words(text)
    pieces = [piece.text for piece in pieces_of(prompt, lambda _: True)]
    for piece in pieces:
        wanted = words(piece)
        fewest = _FEWEST if len(pieces) > 1 else _FEWEST - 1
        if len(wanted) >= fewest and _longest_run(wanted, said) >= max(fewest, _SHARE * len(wanted)):
            return piece
    return ""


def _longest_run(wanted: Sequence[str], said: Sequence[str]) -> int:
    """The length of the longest run of words that both have."""
    best, before = 0, [0] * (len(wanted) + 1)
    for word in said:
        row = [0] * (len(wanted) + 1)
        for place, other in enumerate(wanted, 1):
            if word == other:
                row[place] = before[place - 1] + 1
                best = max(best, row[place])
        before = row
    return best
