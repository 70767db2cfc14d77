"""Rows of CSV and TSV files."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
from collections.abc import Iterator
from typing import Literal

from cutline.errors import ConfigError, SourceError
from cutline.formatting import one_line
from cutline.sources.input_files import open_binary
from cutline.sources.rows import BadRow, Row, count_rows


def delimited_table(path: str, ending: str) -> DelimitedTable:
    """Look at a file's header; ``ending`` is csv or tsv.

    Raises:
        ConfigError: it does not exist, or has no header.
    """
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
