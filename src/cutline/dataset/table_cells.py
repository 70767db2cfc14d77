"""Pictures in the cells of tables: read when they are looked at."""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Iterator

from cutline.errors import ConfigError, PictureError, SourceError
from cutline.locations.stored import file_version
from cutline.records import Location
from cutline.sources.options import SourceOptions
from cutline.sources.picture_cells import bytes_and_name
from cutline.sources.rows import BadRow, Row
from cutline.sources.table_files import open_table

_AHEAD = 256  # rows that are passed over rather than sought


class TableCells:
    """The cells of one column of a table. Rows in order are read in one pass. Any thread may call."""

    def __init__(self, file: str, column: str, options: SourceOptions) -> None:
        self.file = file
        self._column = column
        self._options = options
        self._guard = threading.Lock()
        self._version = ""
        self._next = 0
        self._rows: Iterator[tuple[int, Row]] = iter(())

    def version(self) -> str:
        """That of the table; empty where it is gone."""
        try:
            return file_version(os.stat(self.file))  # noqa: PTH116 - strings
        except OSError:
            return ""

    def picture(self, row: int) -> bytes:
        """The bytes in a row; PictureError: there are none."""
        with self._guard:
            try:
                cell = self._cell(row)
            except (ConfigError, SourceError) as error:
                raise PictureError("fetch", str(error)) from error
        try:
            data = None if cell is None else bytes_and_name(cell)[0]
        except TypeError as error:
            raise PictureError("decode", f"row {row} of {self.file} holds {error}") from None
        if not data:
            raise PictureError("missing", f"row {row} of {self.file} holds no picture")
        return data

    def _cell(self, row: int) -> object:
        version = self.version()
        if version != self._version or not self._next <= row <= self._next + _AHEAD:
            self._rows = open_table(self.file, self._options).rows(row, only=self._column)
            self._version, self._next = version, row
        while True:
            found = next(self._rows, None)
            self._next += 1
            if found is None or self._next > row:
                break
        return None if found is None or isinstance(found[1], BadRow) else found[1].get(self._column)


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
