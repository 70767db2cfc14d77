"""Rows of CSV, TSV and JSON Lines files."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Literal

import orjson

from cutline.errors import ConfigError, SourceError
from cutline.formatting import one_line
from cutline.sources.input_files import open_binary
from cutline.sources.rows import MAX_LINE_BYTES, BadRow, Row, count_rows


def delimited_table(path: str, ending: str) -> DelimitedTable:
    """Read a file's header; ``ending`` is csv or tsv. ConfigError: there is none."""
    with _open_text(path) as file:
        first = file.readline(1_000_000)
    delimiter = "\t" if ending == "tsv" else ";" if ";" in first and "," not in first else ","
    try:
        header = next(csv.reader([first], delimiter=delimiter), [])
    except csv.Error as error:
        raise ConfigError(f"{path}: the first line is not a header: {error}") from error
    if not header:
        raise ConfigError(f"{path} is empty; its first line has to name the columns")

    return DelimitedTable(path=path, delimiter=delimiter, header=tuple(header))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DelimitedTable:
    """A CSV or TSV file; ``header`` names its columns in their order."""

    path: str
    delimiter: str
    header: tuple[str, ...]
    counted: Literal["line"] = "line"

    @property
    def columns(self) -> dict[str, str]:
        return dict.fromkeys(self.header, "text")

    def rows(self, first: int = 0, *, only: str | None = None) -> Iterator[tuple[int, Row]]:  # noqa: ARG002
        return itertools.islice(self._rows(), first, None)

    def _rows(self) -> Iterator[tuple[int, Row]]:
        with _open_text(self.path) as file:
            reader = csv.reader(file, delimiter=self.delimiter)
            try:
                next(reader)
                line = reader.line_num + 1  # where the row begins: quoted texts may run over several
                for fields in reader:
                    if len(fields) > len(self.header):
                        yield line, BadRow(f"{len(fields)} fields where the header has {len(self.header)}")
                    elif fields:
                        yield line, dict(itertools.zip_longest(self.header, fields))
                    line = reader.line_num + 1
            except (csv.Error, OSError, ValueError) as error:
                raise SourceError(f"{self.path}: line {reader.line_num}: {one_line(error)}") from error

    def count(self) -> int | None:
        return count_rows(self)


def _open_text(path: str) -> io.TextIOWrapper:
    """Bytes that are not of the encoding are kept as surrogates, as Python does for file names."""
    file = open_binary(path)
    mark = file.read(2)
    file.seek(0)
    encoding = "utf-16" if mark in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    return io.TextIOWrapper(file, encoding=encoding, errors="surrogateescape", newline="")


def json_lines_table(path: str) -> JsonLinesTable:
    """Read a file's first rows; ConfigError: there is no object in them."""
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
