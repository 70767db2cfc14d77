"""Blanks and capital letters of captions."""

from __future__ import annotations

import re
from typing import Final

_FIRST: Final = re.compile(r"\s*[\"'(\u201c\u2018]*[^\W\d_]")
_LATER: Final = re.compile(r"[.!?]\s+[\"'(\u201c\u2018]*[^\W\d_]")


def trimmed(text: str) -> str:
    """The text without blanks at the ends of lines, and without repeated ones."""
    return "\n".join([" ".join(line.split()) for line in text.split("\n")]).strip()


def with_capitals(text: str) -> str:
    """The text with a capital letter at the beginning of every sentence."""
    found = _FIRST.match(text)
    if found is not None:
        text = _capital(found) + text[found.end() :]
    return _LATER.sub(_capital, text)


def _capital(found: re.Match[str]) -> str:
    text, letter = found[0][:-1], found[0][-1]
    return text + (letter.upper() if letter.islower() else letter)
