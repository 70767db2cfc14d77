"""Rows of CSV and TSV files, also compressed."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Literal, TextIO

from cutline.errors import ConfigError, SourceError
from cutline.formatting import one_line
from cutline.imaging import EXTENSIONS
from cutline.sources.csv_records import MAX_RECORD, Records, Unclosed
from cutline.sources.names import IMAGE_NAMES, URL_NAMES, extension
from cutline.sources.packed_files import DAMAGE, damaged_rest, open_packed_text
from cutline.sources.rows import BEGINNING, BadRow, Place, Row, count_rows
from cutline.storage import is_http

_DELIMITERS = ",;\t|"
_NAMES: Final = frozenset((*IMAGE_NAMES, *URL_NAMES))
MAX_PREAMBLE: Final = 100
"""Lines in which the header, or the first row, is looked for."""
_MAX_BEGINNING: Final = 1_000_000  # characters
_EXCEL: Final = re.compile(r'"?sep=([,;\t|])"?\s*', re.IGNORECASE)
"""The first line of a table by Excel, which names the delimiter."""


def delimited_table(
    path: str,
    ending: str,
    *,
    delimiter: str | None = None,
    header: bool | None = True,
    encoding: str | None = None,
) -> DelimitedTable:
    """Read a file's first line; ``ending`` is csv or tsv. ConfigError: there is none.

    ``header``: whether the first line names the columns; None: unless it holds a picture.
    """
    csv.field_size_limit(MAX_RECORD)  # of the process; Python's own stops a file at 131,072
    with open_packed_text(path, encoding) as file:
        try:
            lines = _beginning(file)
        except (*DAMAGE, OSError) as error:
            raise ConfigError(f"{path} cannot be read: {one_line(error)}") from error
    named = _EXCEL.fullmatch(lines[0]) if lines else None
    skipped = _first_line(lines, 1 if named else 0, ending, header=header is not False)
    if header:
        skipped = _below_title(lines, skipped, ending)
    first = lines[skipped] if skipped < len(lines) else ""
    if delimiter is not None:
        delimiter = _delimiter(delimiter)
    else:
        delimiter = named[1] if named else _found_delimiter(first, ending)
    try:
        cells = next(csv.reader([first], delimiter=delimiter), [])
    except csv.Error as error:
        raise ConfigError(f"{path}: the first line is not a header: {error}") from error
    if not cells:
        raise ConfigError(f"{path} is empty; its first line must name the columns")
    picture = _picture_cell(cells)
    if header is False or (header is None and picture is not None):
        names = tuple(f"column{number}" for number in range(1, len(cells) + 1))
        return DelimitedTable(
            path=path,
            delimiter=delimiter,
            header=names,
            first_row=skipped,
            pictures=picture,
            encoding=encoding,
        )
    if picture is not None:
        raise ConfigError(
            f"{path}: the first line holds a picture instead of names; if it is a row, give --no-header"
        )
    return DelimitedTable(
        path=path, delimiter=delimiter, header=tuple(cells), first_row=skipped + 1, encoding=encoding
    )


def _beginning(file: TextIO) -> list[str]:
    """The first lines of a file, within ``_MAX_BEGINNING`` characters, as one line may be the whole."""
    lines: list[str] = []
    room = _MAX_BEGINNING
    while room and len(lines) < MAX_PREAMBLE and (line := file.readline(room)):
        lines.append(line)
        room -= len(line)
    return lines


def _first_line(lines: Sequence[str], start: int, ending: str, *, header: bool) -> int:
    """The number of the line that is the header, or the first row: after empty lines and comments.

    A line without a picture that begins with ``#`` is a comment, unless it can be the ``header``: the next
    has as many cells, and is a row of pictures or there is no blank after the sign.
    """
    comment = None
    for number, line in enumerate(lines[start:], start):
        if not line.strip().strip(_DELIMITERS).strip():
            continue
        cells = _cells(line, ending)
        if line.startswith("#") and _picture_cell(cells) is None:
            comment = number
            continue
        if comment is not None and header and len(_cells(lines[comment], ending)) == len(cells):
            is_row = _picture_cell(cells) is not None
            return comment if is_row or not lines[comment].startswith("# ") else number
        return number
    return start if comment is None else comment


def _below_title(lines: Sequence[str], start: int, ending: str) -> int:
    """The number of the line that names the columns, where the one at ``start`` is a title alone."""
    for number, line in enumerate(lines[start:], start):
        cells = [cell.strip().lower() for cell in _cells(line, ending) if cell.strip()]
        names_column = not _NAMES.isdisjoint(cells)
        if len(cells) > 1 or names_column:
            return number if names_column and _picture_cell(cells) is None else start
    return start


def _cells(line: str, ending: str) -> list[str]:
    with contextlib.suppress(csv.Error):  # told where the header is read
        return next(csv.reader([line], delimiter=_found_delimiter(line, ending)), [])
    return []


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
    pictures. ``place``: where reading begins, for rows that are not before it.
    """

    path: str
    delimiter: str
    header: tuple[str, ...]
    first_row: int = 1
    pictures: int | None = None
    encoding: str | None = None
    place: Place = BEGINNING
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
        begin = self.place if self.place.row <= first else BEGINNING
        return itertools.islice(self._rows(begin), first - begin.row, None)

    def places(self, rows: Iterable[int]) -> Iterator[Place]:
        """Where reading can begin for each of the rows, which ascend: there, or before it."""
        with open_packed_text(self.path, self.encoding) as file:
            records = Records(file, self.delimiter, columns=len(self.header))
            number, found = 0, BEGINNING
            reading = self._read(records, self.first_row)
            for wanted in rows:
                for _ in itertools.islice(reading, max(0, wanted - number)):
                    number += 1
                if number == wanted and number and not records.is_behind:
                    found = Place(number, records.line, file.tell())
                yield found

    def _rows(self, begin: Place) -> Iterator[tuple[int, Row]]:
        with open_packed_text(self.path, self.encoding) as file:
            if begin.offset:
                file.seek(begin.offset)
            records = Records(file, self.delimiter, columns=len(self.header), line=begin.line)
            yield from self._read(records, 0 if begin.offset else self.first_row)

    def _read(self, records: Records, first: int) -> Iterator[tuple[int, Row]]:
        """The rows of the records from that number on; one for each, but for empty lines."""
        try:
            for line, fields in itertools.islice(records.read(), first, None):
                if isinstance(fields, Unclosed):
                    yield line, BadRow(fields.message)
                elif len(fields) > len(self.header):
                    yield line, BadRow(f"{len(fields)} fields where the header has {len(self.header)}")
                elif fields and not self._is_comment(fields):
                    yield line, dict(itertools.zip_longest(self.header, fields))
        except DAMAGE as error:
            yield records.line + 1, damaged_rest(error)
        except (csv.Error, OSError, ValueError) as error:
            raise SourceError(f"{self.path}: line {records.line}: {one_line(error)}") from error

    def _is_comment(self, fields: list[str]) -> bool:
        """Whether a record is a note between the rows: shorter than they are, with ``#`` and no picture."""
        is_short = len(fields) < len(self.header)
        return is_short and fields[0].startswith("#") and _picture_cell(fields) is None

    def count(self) -> int | None:
        return count_rows(self)
