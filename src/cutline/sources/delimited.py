"""Rows of CSV and TSV files."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator

from cutline.errors import ConfigError, SourceError
from cutline.formatting import one_line
from cutline.sources.input_files import open_binary
from cutline.sources.rows import BadRow, Row, Table, counter


def delimited_table(path: str, ending: str) -> Table:
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
        raise ConfigError(f"{path}: the first line is no header: {error}") from error
    if not header:
        raise ConfigError(f"{path} is empty; its first line has to name the columns")

    def rows() -> Iterator[tuple[int, Row]]:
        with _open_text(path) as file:
            reader = csv.reader(file, delimiter=delimiter)
            try:
                next(reader)
                line = reader.line_num + 1  # where the row begins: quoted texts may run over several
                for fields in reader:
                    if len(fields) > len(header):
                        yield line, BadRow(f"{len(fields)} fields where the header has {len(header)}")
                    elif fields:
                        yield line, dict(itertools.zip_longest(header, fields))
                    line = reader.line_num + 1
            except (csv.Error, OSError, ValueError) as error:
                raise SourceError(f"{path}: line {reader.line_num}: {one_line(error)}") from error

    columns = dict.fromkeys(header, "text")
    return Table(path=path, columns=columns, rows=rows, count=counter(path, rows), counted="line")


def _open_text(path: str) -> io.TextIOWrapper:
    """Bytes that are not of the encoding are kept as surrogates, as Python does for file names."""
    file = open_binary(path)
    mark = file.read(2)
    file.seek(0)
    encoding = "utf-16" if mark in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    return io.TextIOWrapper(file, encoding=encoding, errors="surrogateescape", newline="")
