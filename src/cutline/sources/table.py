"""Tables whose rows hold a picture's bytes, its path, its URL, or bytes and path together."""

# Paths stay strings: they come out of tables and need not be valid.

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any, ClassVar, Self

from cutline.errors import ConfigError
from cutline.files import name_to_text
from cutline.locations.roots import ImageRoot
from cutline.locations.stored import InlineBytes, RemoteFile
from cutline.records import LeftOver, Location, Problem, Sample
from cutline.sources.cells import first_text, metadata
from cutline.sources.input_files import parent_folder
from cutline.sources.left_over import LeftOvers
from cutline.sources.names import UniqueKeys
from cutline.sources.options import OF_COLUMNS, OF_FILES, SourceOptions
from cutline.sources.parts import RowSource, copy_with, sample_at
from cutline.sources.picture_cells import DamagedPicture, bytes_and_name, is_several
from cutline.sources.row_keys import KeyColumn, content_key, name_column, name_in, safe_key
from cutline.sources.row_names import rows_for_keys
from cutline.sources.rows import BEGINNING, BadRow, Row, Table, readable_rows, size_of
from cutline.sources.table_files import check_text_options, find_columns, is_unended, list_tables, open_table
from cutline.sources.table_places import begun_at, places_in
from cutline.sources.unread_files import Named, note_unread
from cutline.sources.urls import not_a_url
from cutline.storage import is_http

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class TableSource(RowSource):
    """A sample for each row of a table, or of the tables of a folder, pattern or brace list.

    The key is the cell of the key column; else the picture's path relative to the root, its URL, the name
    that comes with its bytes, or a digest of these; ``row-00000012`` (from 0 over all files) where there is
    no picture. A key that comes again becomes ``key#2``, as the other columns may differ. Paths are only
    opened within ``image_root``, by default the table's folder, also after links; others are ``blocked-path``
    failures.
    """

    takes: ClassVar[frozenset[str]] = OF_COLUMNS | OF_FILES - {"sidecar_ext"} | {"key_column"}

    _default_column = ""
    """The column of pictures, where it is not found by name or type."""

    def __init__(self, path: str, options: SourceOptions | None = None) -> None:
        """Raises ConfigError when there is no such table, or no column of pictures in it."""
        super().__init__(path, options)
        self._folder, self._files = self._list_files(path)
        self._first, table = self._first_table()
        check_text_options(table, self._options)
        columns = find_columns(table, self._options)
        named = self._options.image_column or self._options.url_column or self._default_column
        self._column = named or columns.image or columns.url or ""
        self._text_column = columns.text
        base = self._folder or parent_folder(path)
        root = self._options.image_root or base
        self._root = ImageRoot(root, base=base, follow_links=self._options.follow_links)
        self._sizes: Sequence[int] = ()
        self._place = BEGINNING
        named_by = self._options.key_column
        self._keys = KeyColumn(path, named_by) if named_by is not None else None
        self._notes = LeftOvers()
        self._kind = table.columns[self._column]
        self._many = self._kind == "list"  # a row may have several pictures
        self._name_column = name_column(table.columns, self._column)
        inline = {self._column} if self._kind != "text" else set()
        self._types = {name: type_ for name, type_ in table.types.items() if name not in inline}

    def _list_files(self, path: str) -> tuple[str, list[str]]:
        return list_tables(path, self._options)

    def _first_table(self) -> tuple[str, Table]:
        """The first file that can be opened, as the others have its columns; ConfigError: none can."""
        refused: ConfigError | None = None
        for file in self._files:
            try:
                return file, open_table(file, self._options)
            except ConfigError as error:
                refused = refused or error
        assert refused is not None
        raise refused

    def _no_rows(self) -> str:
        return f"{self._files[0]} holds no rows"

    def samples(self) -> Iterator[Sample]:
        """Raises ConfigError for rows with one key in the key column, and as every table."""
        if self._keys is not None and not self._sizes:
            self._check_keys(self._keys)
        self._notes.clear()
        named = Named(self._folder)
        for sample in super().samples():
            named.add(sample.origin or sample.key)
            yield sample
        if not self._sizes and self._folder:  # the whole of several files
            self._note_unread(named)

    def _note_unread(self, named: Named) -> None:
        note_unread(self._path, self._options, self._notes, read="table", named=named)

    @property
    def column_types(self) -> Mapping[str, Any]:
        return self._types

    @property
    def left_over(self) -> Sequence[LeftOver]:
        return self._notes.records()

    @property
    def column(self) -> str:
        """The column of the pictures."""
        return self._column

    @property
    def holds_bytes(self) -> bool:
        return self._kind in {"picture", "bytes"}

    def cells(self) -> Iterator[tuple[str, str, int]]:
        """The key, file and row in it of each picture, where ``holds_bytes``."""
        keys, file, number = UniqueKeys(), "", 0
        named = self._keys
        rows = self._rows(for_keys=True) if named is None else self._rows(self._options.key_column)
        for values in rows:
            row, _, where, _ = values
            number, file = (number + 1 if values[-1] == file else 0), values[-1]
            key = self._key(*values) if named is None or isinstance(row, BadRow) else named.key(row, where)
            yield keys.unique(key), file, number

    def _check_keys(self, keys: KeyColumn) -> None:
        rows = self._rows(only=self._options.key_column)
        keys.check((row, f"{file}, {where}") for row, _, where, file in rows)

    def shards(self, count: int) -> list[Self]:
        """By rows; their keys are read through once, for those that come again."""
        if self._many:
            return [self]
        sizes = [self._size(file) for file in self._files]
        is_whole = not self._sizes and bool(self._folder)
        named, keys = Named(self._folder), (self._key(*row) for row in self._rows(for_keys=True))
        if self._keys is not None:
            self._check_keys(self._keys)
        if is_whole:
            keys = named.added(keys)
        elif self._keys is not None:  # no key comes again
            keys.close()
        parts = list(self._part.split(self._part.length(sum(sizes)), count, keys))
        self._notes.clear()  # each part has its own
        if is_whole:
            self._note_unread(named)
        tables = [functools.partial(self._open, file) for file in self._files]
        places = places_in(tables, sizes, [part.start for part in parts])
        return [
            copy_with(self, _part=part, _sizes=sizes, _place=place, _notes=LeftOvers())
            for part, place in zip(parts, places, strict=True)
        ]

    def count(self) -> int | None:
        total = 0
        if self._many:
            return None
        for file in self._files:
            try:
                rows = open_table(file, self._options).count()
            except ConfigError:
                rows = 1
            if rows is None:
                return None
            total += rows
        return self._part.length(total)

    def _rows(
        self, only: str | None = None, *, for_keys: bool = False
    ) -> Iterator[tuple[Row, str, str, str]]:
        """The part's rows, each with a key by its number, its place in its file, and that file."""
        number = 0
        for index, file in enumerate(self._files):
            first = max(0, self._part.start - number)
            if self._sizes and first >= self._sizes[index]:
                number += self._sizes[index]
                continue
            number += first
            for counted, row in self._rows_of(file, first, only, for_keys=for_keys):
                if number >= self._part.stop:
                    return
                damaged = isinstance(row, BadRow) and row.kind != "bad-row"
                place = name_to_text(file[len(self._folder) :]) if damaged else f"row-{number:08}"
                yield row, place, counted, file
                number += 1
            if self._sizes:
                number = sum(self._sizes[: index + 1])  # damage may have cost rows

    def _rows_of(
        self, file: str, first: int, only: str | None, *, for_keys: bool
    ) -> Iterator[tuple[str, Row]]:
        """A file's rows with their places; one of several that cannot be read is a bad row."""
        try:
            table = begun_at(self._open(file), self._place) if first else self._open(file)
        except ConfigError as error:
            if len(self._files) == 1:
                raise
            yield "file", BadRow(str(error), kind="damaged-shard")
            return
        row: Row | None = None
        rows = readable_rows(table, first, only=only)
        if for_keys:  # as far as ``_key`` needs them
            names = [] if self._name_column is None else [self._name_column]
            rows = rows_for_keys(table, self._column, names, self._is_named, first)
        for where, row in rows:
            yield where, row
        if not isinstance(row, BadRow) and is_unended(file):
            self._notes.note("unended-stream", file)

    def _size(self, file: str) -> int:
        try:
            return size_of(self._open(file))
        except ConfigError:
            if len(self._files) == 1:
                raise
            return 1  # its failure

    def _open(self, file: str) -> Table:
        table = open_table(file, self._options)
        for column in filter(None, (self._column, self._options.key_column)):
            if column not in table.columns:
                raise ConfigError(f"{file} has no column {column!r}, which {self._first} has")
        return table

    def _is_named(self, row: dict[str, Any]) -> bool:
        """Whether bytes in the row have a name, which is their key."""
        name = bytes_and_name(row[self._column])[1] or name_in(row, self._name_column)
        return name is not None and safe_key(name) is not None

    def _key(self, row: Row, place: str, where: str, file: str) -> str:
        """The row's key, unless an earlier one has it."""
        if isinstance(row, BadRow):
            return place
        return self._find(row.get(self._column), row, place, where, file)[0]

    def _sample(self, keys: UniqueKeys, *values: Any) -> Sample:
        row, place, where, file = values
        if isinstance(row, BadRow):
            problem = Problem(kind=row.kind, message=f"{file}: {where}: {row.message}")
            return sample_at(keys.unique(place), problem)
        cell = row.get(self._column)
        key, found = self._find(cell, row, place, where, file)
        text = first_text(row.get(self._text_column)) if self._text_column else None
        inline = isinstance(cell, dict | list) or isinstance(found, InlineBytes)
        data = metadata(row, self._column if inline else None)
        if self._keys is None:
            return sample_at(keys.unique(key), found, text, data)
        named = sample_at(self._keys.key(row, where), found, text, data)
        return dataclasses.replace(named, origin=key)

    def _samples(self, keys: UniqueKeys, *values: Any) -> Iterator[Sample]:
        """One for the row, or one for each picture of a list."""
        row, place, where, file = values
        cell = None if isinstance(row, BadRow) else row.get(self._column)
        if not isinstance(cell, list) or not is_several(cell):
            yield self._sample(keys, *values)
            return
        for number, each in enumerate(cell, 1):
            inner = f"{place}/{number}" if len(cell) > 1 else place
            yield self._sample(keys, {**row, self._column: each}, inner, f"{where}, {number}", file)

    def _no_picture(self, error: TypeError, where: str, file: str) -> Problem:
        """The problem of a cell with a damaged picture or something else."""
        message = f"{file}: {where}: column {self._column!r} has {error}"
        if isinstance(error, DamagedPicture):
            return Problem(kind="decode", message=message)
        self._notes.note("other-cell", f"{where}: {error}")
        return Problem(kind="no-image", message=message, skip=True)

    def _find(
        self, cell: Any, row: dict[str, Any], place: str, where: str, file: str
    ) -> tuple[str, Location | Problem]:
        """The key, and where the picture is or why it is nowhere."""
        try:
            data, name = bytes_and_name(cell)
        except TypeError as error:
            return place, self._no_picture(error, where, file)
        if data:
            name = name or name_in(row, self._name_column)
            key = (safe_key(name) if name else None) or content_key(data)
            return key, InlineBytes(data, f"{file}/{key}")
        if name is None:
            return place, Problem(kind="no-image", message="the row holds no picture", skip=True)
        if is_http(name):
            if wrong := not_a_url(name):
                return place, Problem(kind="bad-url", message=f"{file}: {where}: {wrong}")
            return name, RemoteFile(name)
        return self._root.find(name, place)
