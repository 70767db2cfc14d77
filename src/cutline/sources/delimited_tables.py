"""Rows of CSV and TSV files, also compressed."""

from __future__ import annotations

import csv
import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from cutline.errors import ConfigError, SourceError
from cutline.formatting import one_line
from cutline.imaging import EXTENSIONS
from cutline.sources.csv_records import MAX_RECORD, Records, Unclosed
from cutline.sources.names import extension
from cutline.sources.packed_files import DAMAGE, damaged_rest, open_packed_text
from cutline.sources.rows import BadRow, Row, count_rows
from cutline.storage import is_http

_DELIMITERS = ",;\t|"


def delimited_table(
    path: str,
    ending: str,
    *,
    delimiter: str | None = None,
    header: bool = True,
    encoding: str | None = None,
) -> DelimitedTable:
    """Read a file's first line; ``ending`` is csv or tsv. ConfigError: there is none."""
    with open_packed_text(path, encoding) as file:
        try:
            first = file.readline(1_000_000)
        except (*DAMAGE, OSError) as error:
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
        with open_packed_text(self.path, self.encoding) as file:
            records = Records(file, self.delimiter, columns=len(self.header))
            try:
                for line, fields in itertools.islice(records.read(), self.first_row, None):
                    if isinstance(fields, Unclosed):
                        yield line, BadRow(fields.message)
                    elif len(fields) > len(self.header):
                        yield line, BadRow(f"{len(fields)} fields where the header has {len(self.header)}")
                    elif fields:
                        yield line, dict(itertools.zip_longest(self.header, fields))
            except DAMAGE as error:
                yield records.line + 1, damaged_rest(error)
            except (csv.Error, OSError, ValueError) as error:
                raise SourceError(f"{self.path}: line {records.line}: {one_line(error)}") from error

    def count(self) -> int | None:
        return count_rows(self)
