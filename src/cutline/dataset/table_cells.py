"""Rows of tables, read on demand, and pictures in their cells."""

from __future__ import annotations

import dataclasses
import os
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cutline.errors import ConfigError, PictureError, SourceError
from cutline.locations.stored import file_version
from cutline.records import Location
from cutline.sources.options import SourceOptions
from cutline.sources.picture_cells import bytes_and_name
from cutline.sources.rows import BadRow, Row
from cutline.sources.table_files import open_table

_AHEAD = 256  # rows that are passed over rather than sought


class TableRows:
    """Rows of a table with some of its columns. Those in order are read in one pass."""

    def __init__(self, file: str, columns: Sequence[str], options: SourceOptions) -> None:
        self.file = file
        self._columns = columns
        self._options = options
        self._version = ""
        self._next = 0
        # In a list that outlives this object: the reader closes its file before that is collected.
        self._reading: list[Iterator[tuple[int, Row]]] = []
        weakref.finalize(self, self._reading.clear)

    def version(self) -> str:
        """The version of the table; empty if it is missing."""
        try:
            return file_version(os.stat(self.file))  # noqa: PTH116 - strings
        except OSError:
            return ""

    def row(self, number: int) -> Mapping[str, Any] | None:
        """A row, by its number from 0; None: it cannot be read. Raises ConfigError or SourceError."""
        version = self.version()
        if version != self._version or not self._next <= number <= self._next + _AHEAD:
            self._reading[:] = [open_table(self.file, self._options).rows(number, only=self._columns)]
            self._version, self._next = version, number
        while True:
            found = next(self._reading[0], None)
            self._next += 1
            if found is None or self._next > number:
                break
        return None if found is None or isinstance(found[1], BadRow) else found[1]


class TableCells:
    """The cells of one column of a table. Thread-safe."""

    def __init__(self, file: str, column: str, options: SourceOptions) -> None:
        self.file = file
        self._column = column
        self._guard = threading.Lock()
        self._rows = TableRows(file, [column], options)

    def version(self) -> str:
        return self._rows.version()

    def picture(self, row: int) -> bytes:
        """The bytes in a row; PictureError: there are none."""
        with self._guard:
            try:
                found = self._rows.row(row)
            except (ConfigError, SourceError) as error:
                raise PictureError("fetch", str(error)) from error
        cell = None if found is None else found.get(self._column)
        try:
            data = None if cell is None else bytes_and_name(cell)[0]
        except TypeError as error:
            raise PictureError("decode", f"row {row} of {self.file} holds {error}") from None
        if not data:
            raise PictureError("missing", f"row {row} of {self.file} holds no picture")
        return data


@dataclasses.dataclass(frozen=True, slots=True)
class TableCell(Location):
    """The picture in a row of a table."""

    cells: TableCells
    row: int

    @property
    def path(self) -> str:
        return f"{self.cells.file}, row {self.row}"

    def content_id(self) -> str:
        return f"{self.row} in {self.cells.version()}"

    def read(self) -> bytes:
        return self.cells.picture(self.row)
