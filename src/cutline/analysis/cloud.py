"""A word cloud as an SVG picture whose words can be selected, searched and read aloud."""

from __future__ import annotations

import dataclasses
import html
import itertools
import math
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final

from cutline.analysis.terms import SURE, Term
from cutline.formatting import plural, printable

_WIDTH: Final = 1000.0  # px
_LARGEST, _SMALLEST = 72.0, 13.0  # px
_LINE: Final = 1.2  # of the largest word in it
_GAP: Final = 0.45  # of the smaller neighbour
_STYLE: Final = (
    ".cloud text{font-family:system-ui,sans-serif;fill:#1d2b3a}.cloud text.more{fill:#0b6e4f}"
    "@media(prefers-color-scheme:dark){.cloud text{fill:#e6edf3}.cloud text.more{fill:#56d3a5}}"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Word:
    term: Term
    size: float  # px

    @property
    def width(self) -> float:
        return self.size * sum(map(_advance, self.term.term))


def word_cloud(terms: Sequence[Term]) -> str:
    """The terms in their order, in lines; the area of a word is its number of occurrences.

    Each word has a tooltip with its counts. Those that the selection has far more often than the rest
    (a score above 2) have the class ``more``. Returns the text of an SVG file.
    """
    most = max((term.occurrences for term in terms), default=1)
    words = [
        _Word(term=term, size=max(_SMALLEST, _LARGEST * math.sqrt(term.occurrences / most))) for term in terms
    ]
    lines = list(_lines(words))
    height = sum(_LINE * max(word.size for word in line) for line in lines)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:g} {height + 12:.0f}"'
            f' class="cloud" role="img"'
            f' aria-label="Word cloud of {plural(len(terms), "term")}"><style>{_STYLE}</style>'
        )
    ]
    bottom = 0.0
    for line in lines:
        bottom += _LINE * max(word.size for word in line)
        gaps = [_gap(before, after) for before, after in itertools.pairwise(line)]
        left = (_WIDTH - sum(word.width for word in line) - sum(gaps)) / 2
        for word, gap in zip(line, (*gaps, 0.0), strict=True):
            parts.append(_text(word, left, bottom))
            left += word.width + gap
    return "\n".join((*parts, "</svg>\n"))


def _lines(words: Sequence[_Word]) -> Iterator[list[_Word]]:
    line: list[_Word] = []
    width = 0.0
    for word in words:
        gap = _gap(line[-1], word) if line else 0.0
        if line and width + gap + word.width > _WIDTH:
            yield line
            line, width, gap = [], 0.0, 0.0
        line.append(word)
        width += gap + word.width
    if line:
        yield line


def _gap(before: _Word, after: _Word) -> float:
    return _GAP * min(before.size, after.size)


def _text(word: _Word, left: float, bottom: float) -> str:
    term = word.term
    kind = ' class="more"' if term.score > SURE else ""
    about = f"{printable(term.term)}: {plural(term.occurrences, 'time')}, in {term.share:.1%} of the captions"
    return (
        f'<text{kind} x="{left:.1f}" y="{bottom:.1f}" font-size="{word.size:.1f}" '
        f'textLength="{word.width:.1f}" lengthAdjust="spacingAndGlyphs">'
        f"<title>{html.escape(about)}</title>{html.escape(printable(term.term))}</text>"
    )


def _advance(character: str) -> float:
    """The width of a character in a usual font, as a part of the font's size."""
    if unicodedata.combining(character):
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.0
    if character in "iljtf'|.- ":
        return 0.32
    return 0.85 if character in "mw" else 0.56
