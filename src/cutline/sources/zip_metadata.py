"""The ``metadata`` tables of a zip, as Hugging Face's imagefolder has them: a row for each picture."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, Final

from cutline.errors import ConfigError, SourceError
from cutline.files import write_errors
from cutline.records import Problem
from cutline.sources.cells import first_text, metadata
from cutline.sources.left_over import LeftOvers
from cutline.sources.names import PAIRS, TEXT_NAMES, is_metadata_file
from cutline.sources.options import SourceOptions
from cutline.sources.rows import BadRow, readable_rows
from cutline.sources.table_files import open_table
from cutline.temporary_folders import temporary_folder

_FILE_NAME: Final = "file_name"
_PAIR: Final = {"image", "caption"}
_MAX_BYTES: Final = 512 << 20  # of one table, unpacked


class ZipMetadata:
    """The rows of all tables in a zip, by the paths of their pictures.

    ``names`` are the members, ``data`` reads one up to a number of bytes. ``problems``: rows that cannot be
    read, and where they are. A table that cannot be read is left over.
    """

    def __init__(
        self,
        file: str,
        names: Collection[str],
        data: Callable[[str, int], bytes],
        options: SourceOptions,
        notes: LeftOvers,
    ) -> None:
        self._file, self._data, self._options, self._notes = file, data, options, notes
        self._rows: dict[str, dict[str, Any]] = {}
        self._names = names
        self.problems: list[tuple[str, Problem]] = []
        for name in sorted(names):
            if is_metadata_file(name) or name == PAIRS:
                self._read(name)

    def of(self, name: str) -> tuple[str | None, dict[str, Any]]:
        """The text and the other columns of a picture, which is taken out; none where no row names it."""
        row = self._rows.pop(name, None)
        if row is None:
            return None, {}
        given = self._options.text_column
        column = given or next((each for each in TEXT_NAMES if each in row), None)
        others = {} if set(row) == _PAIR else metadata(row, _FILE_NAME)
        return (first_text(row.get(column)) if column else None), others

    def rest(self) -> Iterator[tuple[str, Problem]]:
        """Rows that name no picture of the zip."""
        yield from self.problems
        for name in self._rows:
            yield name, Problem(kind="missing", message=f"{self._file} holds no {name}, which a row names")

    def _read(self, name: str) -> None:
        data = self._data(name, _MAX_BYTES + 1)
        if not data or len(data) > _MAX_BYTES:
            self._notes.note("unread-metadata", f"{self._file}/{name}")
            return
        with write_errors(Path(tempfile.gettempdir())), temporary_folder("metadata") as folder:
            copy = Path(folder, name.rpartition("/")[2].lower())
            copy.write_bytes(data)
            try:
                self._add(name, str(copy))
            except (ConfigError, SourceError):
                self._notes.note("unread-metadata", f"{self._file}/{name}")

    def _add(self, name: str, copy: str) -> None:
        if name == PAIRS:
            self._add_pairs(copy)
            return
        table = open_table(copy, self._options)
        if _FILE_NAME not in table.columns:
            raise ConfigError("it names no pictures")
        folder = name.rpartition("/")[0]
        for where, row in readable_rows(table):
            if isinstance(row, BadRow):
                message = f"{self._file}/{name}: {where}: {row.message}"
                self.problems.append((f"{name}/{where}", Problem(kind=row.kind, message=message)))
                continue
            given = row.get(_FILE_NAME)
            if isinstance(given, str) and given:
                path = given.replace("\\", "/").removeprefix("./")
                self._rows[f"{folder}/{path}" if folder else path] = row

    def _add_pairs(self, copy: str) -> None:
        """The captions of pictures that the zip has; another file of that name is none of them."""
        with contextlib.suppress(ConfigError, SourceError):
            for _, row in readable_rows(open_table(copy, self._options)):
                if not isinstance(row, BadRow) and set(row) == _PAIR and row["image"] in self._names:
                    self._rows.setdefault(row["image"], row)
