"""Rows of a table that a program holds, each a mapping from columns to cells."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, Self

from cutline.errors import ConfigError
from cutline.records import JSON
from cutline.sources.cells import first_text, metadata
from cutline.sources.names import IMAGE_NAMES, TEXT_NAMES, URL_NAMES
from cutline.sources.picture_cells import bytes_and_name
from cutline.sources.row_keys import name_column, name_in, safe_key

_BYTES = (bytearray, memoryview)
_CONTENT_NAMES = ("bytes", "data", "content")  # of a picture whose name may stand beside it


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GivenRow:
    """A row's picture, its name (empty for none), its existing caption, and its other columns."""

    picture: Any
    name: str
    text: str | None
    metadata: JSON

    @classmethod
    def of(cls, row: Mapping[Any, Any]) -> Self:
        """Find the columns by their names, as in a table's file; ConfigError: there is no picture."""
        column = _column(row, (*_CONTENT_NAMES, *IMAGE_NAMES, *URL_NAMES))
        if column is None:
            names = ", ".join(map(repr, list(row)[:10]))
            raise ConfigError(
                f"no key of the {type(row).__name__} names a picture; name one 'image', 'path', 'url' or "
                f"'bytes', or give a list of pictures. The keys are {names or 'none'}"
            )
        row = {name: bytes(cell) if isinstance(cell, _BYTES) else cell for name, cell in row.items()}
        is_content = column in _CONTENT_NAMES
        picture, named = _picture(row if is_content else row[column], column)
        kinds = {name: "text" for name, cell in row.items() if isinstance(cell, str | int)}
        beside = name_in(row, name_column(kinds, column))
        text = _column(row, TEXT_NAMES)
        return cls(
            picture=picture,
            name=named or (safe_key(beside) if beside else None) or "",
            text=None if text is None else first_text(row[text]),
            metadata=metadata(row, None if isinstance(row[column], str) else column),
        )


def _column(row: Mapping[Any, Any], names: tuple[str, ...]) -> Any:
    """The first of the names, in any case, that the row has with something in it; else the first it has."""
    lower = {name.lower(): name for name in row if isinstance(name, str)}
    known = [lower[name] for name in names if name in lower]
    return next((name for name in known if not _is_missing(row[name])), next(iter(known), None))


def _is_missing(cell: Any) -> bool:
    return cell is None or (isinstance(cell, float) and cell != cell)  # noqa: PLR0124 - not a number


def _picture(cell: Any, column: str) -> tuple[Any, str]:
    """What is in a cell, and its name; ConfigError: no picture can be there."""
    if isinstance(cell, os.PathLike):
        cell = os.fsdecode(cell)
    if isinstance(cell, Mapping) or _is_missing(cell) or isinstance(cell, str | bytes):
        try:
            data, name = bytes_and_name(dict(cell) if isinstance(cell, Mapping) else cell)
        except TypeError as error:
            raise ConfigError(f"{column!r} has {error}") from None
        if not data and name is None:
            raise ConfigError(f"{column!r} is empty: leave the row out, or give its picture")
        if data:
            return data, (safe_key(name) if name else None) or ""
        return name, str(name)
    if isinstance(cell, list | tuple):
        raise ConfigError(f"{column!r} is a {type(cell).__name__}: give a list of rows, one for each picture")
    return cell, ""
