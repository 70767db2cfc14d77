"""Rows of CSV, TSV and JSON Lines files, and of JSON arrays; also compressed."""

from __future__ import annotations

import codecs
import csv
import dataclasses
import gzip
import io
import itertools
import lzma
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Literal, cast

import orjson

from cutline.errors import ConfigError, SourceError
from cutline.formatting import one_line
from cutline.imaging import EXTENSIONS
from cutline.sources.content_types import (
    MAX_TEXT,
    USUAL,
    beginning,
    text_encoding,
    text_file,
    unpacked,
)
from cutline.sources.csv_records import MAX_RECORD, Records, Unclosed
from cutline.sources.input_files import open_binary
from cutline.sources.json_records import records_of
from cutline.sources.names import extension
from cutline.sources.rows import MAX_LINE_BYTES, BadRow, Row, count_rows
from cutline.storage import is_http

_DELIMITERS = ",;\t|"
_DAMAGE = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)
MAX_JSON_BYTES = 1024 * 1024 * 1024


def delimited_table(
    path: str,
    ending: str,
    *,
    delimiter: str | None = None,
    header: bool = True,
    encoding: str | None = None,
) -> DelimitedTable:
    """Read a file's first line; ``ending`` is csv or tsv. ConfigError: there is none."""
    with _open_text(path, encoding) as file:
        try:
            first = file.readline(1_000_000)
        except (*_DAMAGE, OSError) as error:
            raise ConfigError(f"{path} cannot be read: {one_line(error)}") from error
    delimiter = _delimiter(delimiter) if delimiter is not None else _found_delimiter(first, ending)
    csv.field_size_limit(MAX_RECORD)  # of the process; Python's own stops a file at 131,072
    try:
        cells = next(csv.reader([first], delimiter=delimiter), [])
    except csv.Error as error:
        raise ConfigError(f"{path}: the first line is not a header: {error}") from error
    if not cells:
        raise ConfigError(f"{path} is empty; its first line has to name the columns")
    if not header:
        names = tuple(f"column{number}" for number in range(1, len(cells) + 1))
        return DelimitedTable(
            path=path,
            delimiter=delimiter,
            header=names,
            first_row=0,
            pictures=_picture_cell(cells),
            encoding=encoding,
        )
    if _picture_cell(cells) is not None:
        raise ConfigError(
            f"{path}: the first line holds a picture instead of names; if it is a row, give --no-header"
        )
    return DelimitedTable(path=path, delimiter=delimiter, header=tuple(cells), encoding=encoding)


def _delimiter(text: str) -> str:
    delimiter = {"tab": "\t", "\\t": "\t"}.get(text, text)
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise ConfigError(f"--delimiter takes one character, or tab, not {text!r}")
    return delimiter


def _found_delimiter(line: str, ending: str) -> str:
    """The character that is most frequent outside of quotes."""
    plain = "".join(line.split('"')[::2])
    usual = "\t" if ending == "tsv" else ","
    best = max(_DELIMITERS, key=lambda sign: (plain.count(sign), sign == usual))
    return best if plain.count(best) else usual


def _picture_cell(cells: list[str]) -> int | None:
    """The first cell that is a URL or the name of a picture's file."""
    found = (at for at, cell in enumerate(cells) if is_http(cell.strip()) or _names_picture(cell))
    return next(found, None)


def _names_picture(cell: str) -> bool:
    return extension(cell.strip().rpartition("/")[2]) in EXTENSIONS


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DelimitedTable:
    """A CSV or TSV file; ``header`` names its columns in their order.

    ``first_row``: the record that is the first row. ``pictures``: of a table without header, the column with
    pictures.
    """

    path: str
    delimiter: str
    header: tuple[str, ...]
    first_row: int = 1
    pictures: int | None = None
    encoding: str | None = None
    counted: Literal["line"] = "line"

    @property
    def columns(self) -> dict[str, str]:
        kinds = dict.fromkeys(self.header, "text")
        if self.pictures is not None:
            kinds[self.header[self.pictures]] = "path"
        return kinds

    @property
    def types(self) -> dict[str, Any]:
        import pyarrow as pa

        return dict.fromkeys(self.header, pa.string())

    def rows(self, first: int = 0, *, only: str | Sequence[str] | None = None) -> Iterator[tuple[int, Row]]:  # noqa: ARG002
        return itertools.islice(self._rows(), first, None)

    def _rows(self) -> Iterator[tuple[int, Row]]:
        with _open_text(self.path, self.encoding) as file:
            records = Records(file, self.delimiter, columns=len(self.header))
            try:
                for line, fields in itertools.islice(records.read(), self.first_row, None):
                    if isinstance(fields, Unclosed):
                        yield line, BadRow(fields.message)
                    elif len(fields) > len(self.header):
                        yield line, BadRow(f"{len(fields)} fields where the header has {len(self.header)}")
                    elif fields:
                        yield line, dict(itertools.zip_longest(self.header, fields))
            except _DAMAGE as error:
                yield records.line + 1, _damaged(error)
            except (csv.Error, OSError, ValueError) as error:
                raise SourceError(f"{self.path}: line {records.line}: {one_line(error)}") from error

    def count(self) -> int | None:
        return count_rows(self)


def _damaged(error: Exception) -> BadRow:
    return BadRow(f"damaged, the rest of the file is lost: {one_line(error)}", kind="damaged-shard")


class _Unpacked(io.BufferedReader):
    """An unpacked file, which closes the packed one too."""

    def __init__(self, unpacked: Any, packed: BinaryIO) -> None:
        super().__init__(unpacked)
        self._packed = packed

    def close(self) -> None:
        super().close()
        self._packed.close()


def _open_packed(path: str) -> BinaryIO:
    file = open_binary(path)
    inner = unpacked(file)
    return file if inner is file else cast("BinaryIO", _Unpacked(inner, file))


def _open_text(path: str, encoding: str | None) -> io.TextIOWrapper:
    return text_file(_open_packed(path), encoding)


def json_lines_table(path: str, encoding: str | None = None) -> JsonLinesTable:
    """Read a file's first rows; ConfigError: there is no object in them."""
    first = [row for _, row in itertools.islice(_rows(path, encoding), 100)]
    columns = _columns(first)
    if not columns:
        reason = first[0].message if first and isinstance(first[0], BadRow) else "there are no rows"
        raise ConfigError(f"{path}: one JSON object a line is needed; {reason}")
    return JsonLinesTable(path=path, columns=columns, encoding=encoding)


def json_table(path: str, encoding: str | None = None) -> JsonTable:
    """Read a JSON file whole; ConfigError: no list of objects is in it."""
    with _open_packed(path) as file:
        try:
            data = file.read(MAX_JSON_BYTES + 1)
        except (*_DAMAGE, OSError) as error:
            raise ConfigError(f"{path} cannot be read: {one_line(error)}") from error
    if len(data) > MAX_JSON_BYTES:
        raise ConfigError(f"{path} is larger than {MAX_JSON_BYTES:,} bytes; write it as JSON Lines (.jsonl)")
    try:
        value = orjson.loads(_as_utf8(data, text_encoding(data[:MAX_TEXT], encoding)))
    except orjson.JSONDecodeError as error:
        raise ConfigError(
            f"{path} is not valid JSON: {one_line(error)}; one object a line is .jsonl"
        ) from error
    found = records_of(value)
    rows = tuple(each if isinstance(each, dict) else BadRow("not an object") for each in found or ())
    columns = _columns(list(rows[:100]))
    if not columns:
        raise ConfigError(f"{path}: a list of objects is needed, or an object with one, as COCO's `images`")
    return JsonTable(path=path, columns=columns, records=rows)


def _columns(first: list[Row]) -> dict[str, str]:
    columns: dict[str, str] = {}
    for row in first:
        for name, value in row.items() if isinstance(row, dict) else ():
            if columns.get(name, "other") == "other":
                columns[name] = (
                    "text" if isinstance(value, str) else "list" if isinstance(value, list) else "other"
                )
    return columns


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JsonLinesTable:
    """A JSON Lines file; ``columns`` are those of its first rows."""

    path: str
    columns: Mapping[str, str]
    encoding: str | None = None
    counted: Literal["line"] = "line"
    types: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def rows(self, first: int = 0, *, only: str | Sequence[str] | None = None) -> Iterator[tuple[int, Row]]:  # noqa: ARG002
        return itertools.islice(_rows(self.path, self.encoding), first, None)

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


def _rows(path: str, encoding: str | None) -> Iterator[tuple[int, Row]]:
    number = 0
    with _open_packed(path) as file:
        try:
            for number, line in enumerate(_text_lines(file, encoding), 1):
                if (row := _json_row(line)) is not None:
                    yield number, row
        except _DAMAGE as error:
            yield number + 1, _damaged(error)
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
