"""Keys of a table's rows: what names a row, rather than its position."""

from __future__ import annotations

import hashlib
import urllib.parse
from typing import TYPE_CHECKING, Any

from cutline.errors import ConfigError
from cutline.files import name_to_text
from cutline.sources.cells import plain
from cutline.sources.names import IMAGE_NAMES, URL_NAMES
from cutline.sources.rows import BadRow, Row
from cutline.storage import is_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NAMES = ("file_name", "filename", *IMAGE_NAMES, *URL_NAMES, "__key__", "key", "image_id", "id")


def name_column(columns: Mapping[str, str], pictures: str) -> str | None:
    """The column that names rows whose ``pictures`` are bytes without a name of their own."""
    lower = {
        name.lower(): name for name, kind in columns.items() if kind in {"text", "other"} and name != pictures
    }
    return next((lower[name] for name in _NAMES if name in lower), None)


def name_in(row: Mapping[str, Any], column: str | None) -> str | None:
    """The row's name in ``column``; None for an empty cell, or a value that names nothing."""
    value = row.get(column) if column is not None else None
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(plain(value)).strip() or None


def content_key(data: bytes) -> str:
    """A key for bytes that nothing names; equal bytes have the same."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def safe_key(name: str) -> str | None:
    """A name that came with bytes, as a relative path; only its last part when it leads elsewhere."""
    text = urllib.parse.unquote(name) if is_url(name) else name
    parts = [part for part in text.replace("\\", "/").split("/") if part not in {"", "."}]
    if not parts or "\0" in text or parts[-1] == "..":
        return None
    elsewhere = ".." in parts or is_url(name) or text.startswith(("/", "\\")) or ":" in parts[0][:2]
    return name_to_text(parts[-1] if elsewhere else "/".join(parts))


class KeyColumn:
    """A column that names every row of a table; errors are ConfigErrors that name the row."""

    def __init__(self, path: str, column: str) -> None:
        self._path = path
        self._column = column

    def key(self, row: Mapping[str, Any], where: str) -> str:
        """The row's key."""
        key = name_in(row, self._column)
        if key is None:
            raise ConfigError(
                f"{self._path}: {where} has no name in {self._column!r}; --key-column needs a column with a "
                "text or whole number in every row"
            )
        return key

    def check(self, rows: Iterable[tuple[Row, str]]) -> None:
        """Check that no two rows have the same key, before anything is paid for."""
        seen: set[int] = set()
        for row, where in rows:
            if isinstance(row, BadRow):
                continue
            key = self.key(row, where)
            if hash(key) in seen:
                raise ConfigError(
                    f"{self._path}: {where} is not the first with {key[:100]!r} in {self._column!r}; "
                    "--key-column needs a column whose values all differ"
                )
            seen.add(hash(key))
