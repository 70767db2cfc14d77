"""Tables on the output stream: without lines, and as wide as they need to be where it is not a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rich.table import Table
from rich.text import Text

from cutline.terminal import Console

PIPED_WIDTH: Final = 250
"""Columns of a table when the output is not a terminal: long names stay on one line."""


def new_table(*texts: str, numbers: Iterable[str] = ()) -> Table:
    """A table with columns of ``texts``, which fold, and then of ``numbers``, which end on the right."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for title in texts:
        table.add_column(Text(title), overflow="fold")
    for title in numbers:
        table.add_column(Text(title), justify="right")
    return table


def table_console() -> Console:
    """The output stream, for tables."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, PIPED_WIDTH)
    return console


def lacking_line(*, allowed: bool) -> str:
    """What figures mean where some pictures, captions or references were left out."""
    more = "" if allowed else "; --allow-missing if that is intended"
    return f"the figures are those of the other pictures{more}"
