"""Rows of JSON Lines files."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Literal

import orjson

from cutline.errors import ConfigError, SourceError
from cutline.formatting import one_line
from cutline.sources.input_files import open_binary
from cutline.sources.rows import MAX_LINE_BYTES, BadRow, Row, count_rows


def json_lines_table(path: str) -> JsonLinesTable:
    """Look at a file's first rows.

    Raises:
        ConfigError: it does not exist, or there is no object in its first rows.
    """
    columns: dict[str, str] = {}
    first = [row for _, row in itertools.islice(_rows(path), 100)]
    for row in first:
        for name, value in row.items() if isinstance(row, dict) else ():
            if columns.get(name, "other") == "other":
                columns[name] = (
                    "text" if isinstance(value, str) else "list" if isinstance(value, list) else "other"
                )
    if not columns:
        reason = first[0].message if first and isinstance(first[0], BadRow) else "there are no rows"
        raise ConfigError(f"{path}: one JSON object a line is needed; {reason}")
    return JsonLinesTable(path=path, columns=columns)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JsonLinesTable:
    """A JSON Lines file; ``columns`` are those of its first rows."""

    path: str
    columns: Mapping[str, str]
    counted: Literal["line"] = "line"

    def rows(self, first: int = 0, *, only: str | None = None) -> Iterator[tuple[int, Row]]:  # noqa: ARG002
        return itertools.islice(_rows(self.path), first, None)

    def count(self) -> int | None:
        return count_rows(self)


def _rows(path: str) -> Iterator[tuple[int, Row]]:
    with open_binary(path) as file:
        try:
            for number, line in enumerate(_lines(file), 1):
                if (row := _json_row(line)) is not None:
                    yield number, row
        except OSError as error:
            raise SourceError(f"{path}: {one_line(error)}") from error


def _json_row(line: bytes) -> Row | None:
    if len(line) > MAX_LINE_BYTES:
        return BadRow(f"longer than {MAX_LINE_BYTES:,} bytes")
    text = line.removeprefix(b"\xef\xbb\xbf").strip()
    if not text:
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return BadRow(f"not valid JSON: {one_line(error)}")
    return value if isinstance(value, dict) else BadRow("a JSON value that is not an object")


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines; one that is too long is cut, so that it does not fill the memory."""
    while line := file.readline(MAX_LINE_BYTES + 1):
        rest = line
        while len(rest) > MAX_LINE_BYTES and not rest.endswith(b"\n"):
            rest = file.readline(MAX_LINE_BYTES + 1)
        yield line
