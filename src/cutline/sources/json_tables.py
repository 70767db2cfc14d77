"""Rows of JSON Lines files and of JSON arrays, also compressed."""

from __future__ import annotations

import codecs
import contextlib
import dataclasses
import io
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Literal

import orjson

from cutline.errors import ConfigError, SourceError
from cutline.formatting import one_line
from cutline.sidecars.table_text import MAX_TEXT, USUAL, beginning, text_encoding
from cutline.sources.json_records import concatenated, records_of
from cutline.sources.names import IMAGE_NAMES
from cutline.sources.packed_files import DAMAGE, damaged_rest, open_packed
from cutline.sources.picture_cells import holds_picture
from cutline.sources.rows import BEGINNING, MAX_LINE_BYTES, BadRow, Place, Row, count_rows

MAX_JSON_BYTES = 1024 * 1024 * 1024


def json_lines_table(path: str, encoding: str | None = None) -> JsonLinesTable | JsonTable:
    """Read a file's first rows, or an array whole; ConfigError: there is no object in them."""
    first = [row for _, row in itertools.islice(_rows(path, encoding), 100)]
    columns = _columns(first)
    if not columns:
        if not first:
            raise ConfigError(f"{path} has no rows, and so no captions")
        if _begins_with(path, "[", encoding):
            return json_table(path, encoding)
        if _begins_with(path, "{", encoding):
            with contextlib.suppress(ConfigError):  # objects over several lines
                return json_table(path, encoding)
        reason = first[0].message if isinstance(first[0], BadRow) else "the first ones are empty"
        raise ConfigError(f"{path}: one JSON object a line is needed; {reason}")
    return JsonLinesTable(path=path, columns=columns, encoding=encoding)


def json_table(path: str, encoding: str | None = None) -> JsonTable | JsonLinesTable:
    """Read a JSON file whole, or as JSON Lines where it is that; ConfigError: no list of objects is in it."""
    first = [row for _, row in itertools.islice(_rows(path, encoding), 2)]
    if len(first) == 2 and all(isinstance(row, dict) for row in first):
        return json_lines_table(path, encoding)
    with open_packed(path) as file:
        try:
            data = file.read(MAX_JSON_BYTES + 1)
        except (*DAMAGE, OSError) as error:
            raise ConfigError(f"{path} cannot be read: {one_line(error)}") from error
    if len(data) > MAX_JSON_BYTES:
        raise ConfigError(f"{path} is larger than {MAX_JSON_BYTES:,} bytes; write it as JSON Lines (.jsonl)")
    text = _as_utf8(data, text_encoding(data[:MAX_TEXT], encoding))
    try:
        found = records_of(orjson.loads(text))
    except orjson.JSONDecodeError as error:
        found = concatenated(text.decode(errors="replace"))
        if found is None:
            raise ConfigError(
                f"{path} is not valid JSON: {one_line(error)}; one object a line is .jsonl"
            ) from error
    rows = tuple(each if isinstance(each, dict) else BadRow("not an object") for each in found or ())
    columns = _columns(list(rows[:100]))
    if not columns:
        raise ConfigError(f"{path}: a list of objects is needed, or an object with one, as COCO's `images`")
    return JsonTable(path=path, columns=columns, records=rows)


def _begins_with(path: str, sign: str, encoding: str | None) -> bool:
    """Whether a file's first character but blanks and a byte-order mark is ``sign``."""
    with open_packed(path) as file:
        try:
            head = file.read(1000)
        except (*DAMAGE, OSError):
            return False
    text = head.decode(text_encoding(head, encoding), errors="replace")
    return text.lstrip("\ufeff \t\r\n").startswith(sign)


def _columns(first: list[Row]) -> dict[str, str]:
    columns: dict[str, str] = {}
    for row in first:
        for name, value in row.items() if isinstance(row, dict) else ():
            if columns.get(name, "other") == "other":
                columns[name] = _kind(name.lower(), value)
    return columns


def _kind(name: str, value: Any) -> str:
    if isinstance(value, str) or (name in IMAGE_NAMES and holds_picture(value)):
        return "text"
    return "list" if isinstance(value, list) else "other"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JsonLinesTable:
    """A JSON Lines file; ``columns`` are those of its first rows, ``place`` as in ``DelimitedTable``."""

    path: str
    columns: Mapping[str, str]
    encoding: str | None = None
    place: Place = BEGINNING
    counted: Literal["line"] = "line"
    types: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def rows(self, first: int = 0, *, only: str | Sequence[str] | None = None) -> Iterator[tuple[int, Row]]:  # noqa: ARG002
        begin = self.place if self.place.row <= first else BEGINNING
        return itertools.islice(_rows(self.path, self.encoding, begin), first - begin.row, None)

    def places(self, rows: Iterable[int]) -> Iterator[Place]:
        """As of a ``DelimitedTable``; the beginning, where the file is not in UTF-8."""
        found, number = BEGINNING, 0
        with open_packed(self.path) as file:
            is_usual = text_encoding(beginning(file), self.encoding) == USUAL
            lines = enumerate(_lines(file), 1)
            for wanted in rows:
                line = found.line
                while is_usual and number < wanted and (read := next(lines, None)) is not None:
                    line = read[0]
                    number += _json_row(read[1]) is not None
                if is_usual and number == wanted and number:
                    found = Place(number, line, file.tell())
                yield found

    def count(self) -> int | None:
        return count_rows(self)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JsonTable:
    """The objects of a JSON file; ``columns`` are those of the first."""

    path: str
    columns: Mapping[str, str]
    records: tuple[Row, ...] = dataclasses.field(repr=False)
    counted: Literal["row"] = "row"
    types: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def rows(self, first: int = 0, *, only: str | Sequence[str] | None = None) -> Iterator[tuple[int, Row]]:  # noqa: ARG002
        return itertools.islice(enumerate(self.records), first, None)

    def count(self) -> int:
        return len(self.records)


def _as_utf8(data: bytes, encoding: str) -> bytes:
    if encoding == USUAL:
        return data.removeprefix(codecs.BOM_UTF8)
    return data.decode(encoding, errors="replace").encode(errors="replace")


def _rows(path: str, encoding: str | None, begin: Place = BEGINNING) -> Iterator[tuple[int, Row]]:
    number = begin.line
    with open_packed(path) as file:
        try:
            lines = _text_lines(file, encoding)
            if begin.offset:
                file.seek(begin.offset)
            for number, line in enumerate(lines, begin.line + 1):
                if (row := _json_row(line)) is not None:
                    yield number, row
        except DAMAGE as error:
            yield number + 1, damaged_rest(error)
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


def _text_lines(file: BinaryIO, encoding: str | None) -> Iterator[bytes]:
    """Lines in UTF-8, whatever the file is in."""
    found = text_encoding(beginning(file), encoding)
    if found == USUAL:
        return _lines(file)
    return _decoded_lines(file, found)


def _decoded_lines(file: BinaryIO, encoding: str) -> Iterator[bytes]:
    with io.TextIOWrapper(file, encoding=encoding, errors="replace", newline="\n") as reader:
        while line := reader.readline(MAX_LINE_BYTES):
            yield line.encode(errors="replace")


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines; one that is too long is cut, so that it does not fill the memory."""
    while line := file.readline(MAX_LINE_BYTES + 1):
        rest = line
        while len(rest) > MAX_LINE_BYTES and not rest.endswith(b"\n"):
            rest = file.readline(MAX_LINE_BYTES + 1)
        yield line
