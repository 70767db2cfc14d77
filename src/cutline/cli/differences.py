"""Two captions under each other, with the words that differ."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from cutline.text.differences import differing


def difference_lines(before: str | None, after: str | None) -> Iterator[Text]:
    """A line for each of the texts, none for one that is missing."""
    for sign, text, other, style in (("-", before, after, "red"), ("+", after, before, "green")):
        if text is None:
            continue
        line = Text(f"  {sign} ")
        for piece, differs in differing(text, other or ""):
            line.append(piece.replace("\n", " "), style=style if differs else None)
        yield line
