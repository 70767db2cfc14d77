"""Blanks and capital letters of captions."""

from __future__ import annotations

import re
from typing import Final

_FIRST: Final = re.compile(r"\s*[\"'(\u201c\u2018]*[^\W\d_]")
_LATER: Final = re.compile(r"[.!?]\s+[\"'(\u201c\u2018]*[^\W\d_]")

REMOVED: Final = "\ufdd0"  # which no text has
_BLANKS: Final = " \t"
_COMMAS: Final = (",", "\uff0c", "\u3001", "\u060c")
_BEHIND: Final = (
    *_COMMAS,
    *".;:!?)\u3002\uff1b\uff1a\uff01\uff1f\uff09\u061b\u061f",
)  # which have no blank before them


def trimmed(text: str) -> str:
    """The text without blanks at the ends of lines, and without repeated ones."""
    return "\n".join([" ".join(line.split()) for line in text.split("\n")]).strip()


def with_capitals(text: str) -> str:
    """The text with a capital letter at the beginning of every sentence."""
    found = _FIRST.match(text)
    if found is not None:
        text = _capital(found) + text[found.end() :]
    return _LATER.sub(_capital, text)


def without_removed(text: str) -> str:
    """The text without each ``REMOVED``, and without the blank or comma that only it had needed."""
    first, *parts = text.split(REMOVED)
    for left_over, part in zip(reversed(range(len(parts))), parts, strict=True):
        first = _joined(first, part, is_last=not left_over)
    return first


def _joined(left: str, right: str, *, is_last: bool) -> str:
    before, after = left.rstrip(_BLANKS), right.lstrip(_BLANKS)
    if not after and not is_last:
        return before + " " * (before != left or after != right)
    if not before or before.endswith("\n"):
        return before + (after[1:] if after.startswith(_COMMAS) else after).lstrip(_BLANKS)
    if not after or after.startswith("\n"):
        return (before[:-1] if before.endswith(_COMMAS) else before) + after
    if before.endswith(_COMMAS) and after.startswith(_COMMAS):
        return before + after[1:]
    if after.startswith(_BEHIND):
        return before + after
    return f"{before} {after}" if before != left and after != right else left + right


def _capital(found: re.Match[str]) -> str:
    text, letter = found[0][:-1], found[0][-1]
    return text + (letter.upper() if letter.islower() else letter)
