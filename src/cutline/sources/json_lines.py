"""Rows of JSON Lines files."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import BinaryIO

import orjson

from cutline.errors import ConfigError, SourceError
from cutline.formatting import one_line
from cutline.sources.input_files import open_binary
from cutline.sources.rows import MAX_LINE_BYTES, BadRow, Row, Table, counter


def json_lines_table(path: str) -> Table:
    """Look at a file's first rows.

    Raises:
        ConfigError: it does not exist, or there is no object in its first rows.
    """

    def rows() -> Iterator[tuple[int, Row]]:
        with open_binary(path) as file:
            try:
                for number, line in enumerate(_lines(file), 1):
                    if (row := _json_row(line)) is not None:
                        yield number, row
            except OSError as error:
                raise SourceError(f"{path}: {one_line(error)}") from error

    columns: dict[str, str] = {}
    first = [row for _, row in itertools.islice(rows(), 100)]
    for row in first:
        for name, value in row.items() if isinstance(row, dict) else ():
            if columns.get(name, "other") == "other":
                columns[name] = (
                    "text" if isinstance(value, str) else "list" if isinstance(value, list) else "other"
                )
    if not columns:
        said = first[0].message if first and isinstance(first[0], BadRow) else "there are no rows"
        raise ConfigError(f"{path}: one JSON object a line is needed; {said}")
    return Table(path=path, columns=columns, rows=rows, count=counter(path, rows), counted="line")


def _json_row(line: bytes) -> Row | None:
    if len(line) > MAX_LINE_BYTES:
        return BadRow(f"longer than {MAX_LINE_BYTES:,} bytes")
    text = line.removeprefix(b"\xef\xbb\xbf").strip()
    if not text:
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return BadRow(f"no valid JSON: {one_line(error)}")
    return value if isinstance(value, dict) else BadRow("a JSON value that is no object")


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines; one that is too long is cut, so that it can be told and does not fill the memory."""
    while line := file.readline(MAX_LINE_BYTES + 1):
        rest = line
        while len(rest) > MAX_LINE_BYTES and not rest.endswith(b"\n"):
            rest = file.readline(MAX_LINE_BYTES + 1)
        yield line
