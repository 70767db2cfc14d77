"""Read tables of captions that other programs wrote as text, with any sign between their columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from cutline.errors import ConfigError
from cutline.evaluation.text_columns import is_column_of_texts
from cutline.records import JSON
from cutline.sidecars.table_text import text_file
from cutline.sources.delimited_tables import DelimitedTable, delimited_table
from cutline.sources.rows import BadRow, readable_rows

NUMBERED: Final = re.compile(r"(.+\.[A-Za-z0-9]{2,5})#\d+")
"""Ids of Flickr8k and Flickr30k: a.jpg#0 and a.jpg#1 are of one picture."""

_FIRST: Final = 1_000_000  # characters of the first line
_SENTENCE: Final = 3  # words, which hardly a name of a column has


def text_rows(path: Path, damaged: list[str]) -> Iterator[JSON]:
    """The rows of a CSV, TSV or the like, or of a file of tokens: ``a.jpg#0``, a tab, and its text.

    Those that cannot be read are left out, and named in ``damaged``. Those of a table without header have
    the names ``image_id`` and ``caption``, and ``caption_2`` and so on for further texts.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        if _has_tokens(path):
            yield from _tokens(path)
        elif path.stat().st_size:
            yield from _table_rows(path, damaged)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from None


def _has_tokens(path: Path) -> bool:
    with path.open("rb") as file, text_file(file) as text:
        return NUMBERED.fullmatch(text.readline(_FIRST).partition("\t")[0]) is not None


def _tokens(path: Path) -> Iterator[JSON]:
    """The lines of a file of tokens, where quotes are letters as any other."""
    with path.open("rb") as file, text_file(file) as text:
        for line in text:
            key, _, caption = line.rstrip("\r\n").partition("\t")
            if key:
                yield {"image_id": key, "caption": caption}


def _table_rows(path: Path, damaged: list[str]) -> Iterator[JSON]:
    ending = path.suffix.lower().removeprefix(".")
    table = delimited_table(str(path), ending, header=None)
    if table.pictures is None and not _is_row(table.header):
        yield from _whole_rows(table, damaged)
        return
    if table.pictures is None:
        table = delimited_table(str(path), ending, header=False)
    key = table.header[table.pictures or 0]
    texts: Sequence[str] | None = None
    for row in _whole_rows(table, damaged):
        texts = texts or _text_columns(row, key)
        named = {f"caption_{place}": row[name] for place, name in enumerate(texts[1:], 2)}
        yield {"image_id": row[key], "caption": row[texts[0]] if texts else None, **named}


def _whole_rows(table: DelimitedTable, damaged: list[str]) -> Iterator[JSON]:
    for place, row in readable_rows(table):
        if isinstance(row, BadRow):
            damaged.append(place)
        else:
            yield row


def _is_row(cells: Sequence[str]) -> bool:
    """Whether a line holds a caption of a picture: it has a sentence, and no name of a column."""
    is_sentence = (len(cell.split()) >= _SENTENCE for cell in cells[1:])
    return any(is_sentence) and not any(map(is_column_of_texts, cells))


def _text_columns(row: JSON, key: str) -> Sequence[str]:
    """The columns with texts of several words in a first row, else the one beside the picture."""
    others = [name for name in row if name != key]
    return [name for name in others if len((row[name] or "").split()) > 1] or others[:1]
