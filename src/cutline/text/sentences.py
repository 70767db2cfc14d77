"""A caption taken apart into sentences, and put together again from some of them."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

_LONGEST: Final = 2000  # characters that are tried as one window

# By their numbers where they look like others: single quotation marks, and the full-width marks.
_OPENING: Final = "\"'“\u2018«([*_"
_CLOSING: Final = "\"'”\u2019»」』\uff09)]*_"
_WIDE_STOPS: Final = "。\uff01\uff1f"
_WIDE_COMMAS: Final = "\uff0c、\uff1b\uff1a"
_COMMAS: Final = ",;:—\u2013"

_END: Final = re.compile(
    rf"\n\s*"  # a new line: the next paragraph, or item of a list
    rf"|(?<=[.!?…])[{re.escape(_CLOSING)}]{{0,4}}\s+(?=[{re.escape(_OPENING)}]{{0,4}}[^\W_])"
    rf"|(?<=[{_WIDE_STOPS}])[{re.escape(_CLOSING)}]{{0,4}}\s*"
)
# Behind these a full stop ends no sentence, nor behind initials and the numbers of a list.
_TITLES: Final = re.compile(
    rf"^\d+\.$|(?:^|[\s{re.escape(_OPENING)}])"
    r"(?:mr|mrs|ms|dr|prof|st|jr|sr|vs|cf|(?:[^\W\d_]\.)*[^\W\d_])\.$",
    re.IGNORECASE,
)
_BEFORE_NUMBERS: Final = re.compile(r"(?:^|\W)(?:no|nos|nr|fig|approx|ca|vol|p|pp)\.$", re.IGNORECASE)
_ABBREVIATION: Final = 24  # characters at the end of a sentence that are looked at
_CLAUSE: Final = re.compile(rf"(?<=[{_COMMAS}])\s+|(?<=[{_WIDE_COMMAS}])\s*")
_BLANKS: Final = re.compile(r"(?<=\S)\s+(?=\S)")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A sentence, or a part of one that is too long; ``gap`` is the space behind it.

    ``end`` is the mark that ends its sentence, where the piece is not the last of it.
    """

    text: str
    gap: str = ""
    end: str = ""


def pieces_of(text: str, fits: Callable[[str], bool]) -> list[Piece]:
    """The sentences of ``text``; those that do not fit as several, parted at commas where there are any."""
    pieces: list[Piece] = []
    for sentence in _sentences(text.strip()):
        pieces += [sentence] if fits(sentence.text) else _windows(sentence, lambda part: fits(part.rstrip()))
    return pieces


def joined(pieces: Sequence[Piece], kept: Sequence[bool]) -> str:
    """The text of the kept pieces, in order, with the paragraphs that there were."""
    result = ""
    gap = ""
    end = ""
    for piece, keep in zip(pieces, kept, strict=True):
        if keep:
            result = f"{result}{gap if result else ''}{piece.text}"
            gap, end = piece.gap, piece.end
        else:
            gap = max(gap, piece.gap, key=lambda space: (space.count("\n"), len(space)))
            if end and not piece.end:  # the sentence's last part is gone, so its mark comes earlier
                result, end = f"{result.rstrip(_COMMAS + _WIDE_COMMAS)}{end}", ""
    return result


def _sentences(text: str) -> Iterator[Piece]:
    start = 0
    for found in _END.finditer(text):
        # Quotes and brackets behind the full stop belong to the sentence that they close.
        sentence = text[start : found.end()].rstrip()
        if "\n" not in found[0] and _goes_on(sentence, text[found.end() : found.end() + 8]):
            continue
        if sentence:
            yield Piece(text=sentence, gap=text[start + len(sentence) : found.end()])
        start = found.end()
    if start < len(text):
        yield Piece(text=text[start:])


def _goes_on(sentence: str, following: str) -> bool:
    """Whether the full stop was an abbreviation's, or inside a quotation within the sentence."""
    following = following.lstrip(_OPENING)
    end = sentence[-_ABBREVIATION:]
    return (
        following[:1].islower()
        or bool(_TITLES.search(end))
        or (following[:1].isdigit() and bool(_BEFORE_NUMBERS.search(end)))
    )


def _windows(sentence: Piece, fits: Callable[[str], bool]) -> list[Piece]:
    """Parts of a sentence, each as long as fits."""
    windows: list[str] = []
    for clause in _parted(sentence.text, _CLAUSE):
        if windows and fits(windows[-1] + clause):
            windows[-1] += clause
        elif fits(clause):
            windows.append(clause)
        else:
            windows += _words(clause, fits)
    last = len(windows) - 1
    mark = sentence.text.rstrip(_CLOSING)[-1:]
    end = mark if mark and mark in f".!?…{_WIDE_STOPS}" else ""
    return [
        Piece(
            text=window.rstrip(),
            gap=sentence.gap if number == last else window[len(window.rstrip()) :],
            end="" if number == last else end,
        )
        for number, window in enumerate(windows)
    ]


def _words(clause: str, fits: Callable[[str], bool]) -> list[str]:
    """A clause without commas, parted between words, or anywhere where it has none."""
    windows: list[str] = []
    for word in _parted(clause, _BLANKS):
        rest = word
        if windows and len(windows[-1]) + len(word) <= _LONGEST and fits(windows[-1] + word):
            windows[-1] += word
            continue
        while not fits(rest[:_LONGEST]) or len(rest) > _LONGEST:
            length = _longest(rest[:_LONGEST], fits)
            windows.append(rest[:length])
            rest = rest[length:]
        windows.append(rest)
    return windows


def _longest(text: str, fits: Callable[[str], bool]) -> int:
    """How many characters from the beginning fit; at least one."""
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(text[:middle]) else (low, middle - 1)
    return low


def _parted(text: str, mark: re.Pattern[str]) -> list[str]:
    """``text`` cut behind every mark; the parts together are the text."""
    cuts = [0, *(found.end() for found in mark.finditer(text)), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(cuts) if end > start]
