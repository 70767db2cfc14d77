"""The rows of a table: the output of a run, or any other that sources understand."""

from __future__ import annotations

import os
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import Any, Final

from cutline.dataset.failure_rows import failure_rows
from cutline.dataset.held_pictures import HeldPictures
from cutline.dataset.history import History
from cutline.dataset.input_options import TableOptions
from cutline.dataset.recorded_input import InputRow, RecordedInput
from cutline.dataset.row_pictures import RowPictures
from cutline.dataset.table_cells import TableCell, TableCells, TableRows
from cutline.errors import ConfigError, SourceError
from cutline.files import name_to_text
from cutline.records import Location
from cutline.sinks.chosen_captions import ChosenCaptions, split_choice
from cutline.sources.cells import first_text, plain
from cutline.sources.names import UniqueKeys, is_tar
from cutline.sources.options import SourceOptions
from cutline.sources.picture_cells import bytes_and_name
from cutline.sources.row_keys import name_column, name_in
from cutline.sources.rows import BadRow, Row, Table
from cutline.sources.table_files import find_columns, open_table

KEY: Final = "image_id"  # of outputs, see docs/outputs.md
_TEXT: Final = {"text", "list", "other"}
_CAPTIONS: Final = ("caption", "text")
_CHOICE: Final = {"captions", "fields", "steps", "contestant", "problem"}  # what tells several captions apart
_INLINE: Final = {"picture", "bytes"}  # kinds of columns
_ELSEWHERE: Final = {KEY, "image_path", "model", "prompt_id", "llm"}


def holds_captions(file: str) -> bool:
    """Whether a tar, or a table that names pictures and has captions; a table of words is none."""
    if is_tar(file):
        return True
    try:
        table = open_table(file, SourceOptions())
        names = KEY in table.columns or find_columns(table, SourceOptions())
    except (ConfigError, SourceError):
        return False
    return bool(names) and any(table.columns.get(name) in _TEXT for name in _CAPTIONS)


class TableInput(RecordedInput):
    """A table, with one row for each picture.

    The key is the cell of ``image_id``, else the picture's path as written, else the number of the row. The
    picture of a run's output is also tried by its key, as its paths are those of where it ran.
    """

    def __init__(
        self,
        files: list[str],
        place: str,
        history: History,
        options: TableOptions,
        *,
        run: HeldPictures | None,
        chosen: ChosenCaptions,
    ) -> None:
        """``run``: the input of the run that wrote it. ``chosen``: those of a prompt or step, if named.

        ConfigError: it is not a table, or lacks a column that the options name.
        """
        super().__init__(place, history)
        self._table, self._chosen = split_choice(place)[0], chosen
        self._files = files
        self._source = SourceOptions(image_column=options.image_column, text_column=options.text_column)
        table = open_table(files[0], self._source)
        self._image, self._text = self._find(table, options)
        if chosen.name and options.text_column is not None:
            raise ConfigError(f"--text-column and :{chosen.name} choose captions both: give one of them")
        self._text = "caption" if chosen.name else self._text
        self._key = KEY if table.columns.get(KEY) in _TEXT else None
        if self._text is None and self._image is None and self._key is None:
            raise ConfigError(
                f"{place} names no pictures and has no captions: its columns are "
                f"{', '.join(list(table.columns)[:20])}; name them with --image-column and --text-column"
            )
        base = self._table if os.path.isdir(self._table) else os.path.dirname(place)  # noqa: PTH112, PTH120 - strings
        self._pictures = RowPictures(options.image_root, base, run, follow_links=options.follow_links)
        kind = table.columns[self._image] if self._image is not None else ""
        self._holds_bytes = kind in _INLINE
        names = name_column(table.columns, self._image or "") if self._holds_bytes else None
        self._columns = tuple(filter(None, (KEY, "model", "prompt_id", self._text, names)))
        if chosen.name:
            self._columns += tuple({*_CHOICE, chosen.name} - {*self._columns})
        elif _CHOICE & {*table.columns} >= {"captions", "steps"} and self._text == "caption":
            self._note_others(table)
        self._names = names
        # Of Parquet the names alone, without the bytes beside them.
        self._extra = f"{self._image}.path" if kind == "picture" else "" if kind == "bytes" else self._image
        self._kept = [
            name
            for name, kind in table.columns.items()
            if name not in {*_ELSEWHERE, self._text, self._image} and kind not in _INLINE
        ]
        self._types = {name: table.types[name] for name in self._kept if name in table.types}
        self._starts: list[int] = []
        self._numbers_in_table = array("q")
        self._versions: dict[str, str] = {}
        self._others = {file: TableRows(file, self._kept, self._source) for file in files}
        self._cells = {file: TableCells(file, self._image or "", self._source) for file in files}

    def load(self) -> Iterator[InputRow]:
        keys, number = UniqueKeys(), 0
        lost = 0
        self._starts = []
        self._numbers_in_table = array("q")
        self.with_several = 0
        for file in self._files:
            self._starts.append(number + lost)
            self._versions[file] = self._others[file].version()
            try:
                for place, (_, row) in enumerate(self._read(file)):
                    if (chosen := self._choose(row)) is not None:
                        self._numbers_in_table.append(number + lost)
                        yield self._row(keys, chosen, number, (file, place))
                    number += 1
            except SourceError as error:
                message = f"the rest of {os.path.basename(file)} is lost: {error}"  # noqa: PTH119 - strings
                self._numbers_in_table.append(number + lost)
                yield InputRow(key=keys.unique(f"row-{number:08}"), caption=None, picture=None, note=message)
                lost += 1
        self._chosen.check()
        self._starts.append(number + lost)
        for key, path, note in failure_rows(self._table):
            if keys.is_new(key):
                yield InputRow(key=key, caption=None, picture=path, note=note)

    @property
    def column_types(self) -> Mapping[str, Any]:
        return self._types

    def read_columns(self, number: int, row: InputRow) -> Mapping[str, Any]:  # noqa: ARG002
        if not self._kept or number >= len(self._numbers_in_table):
            return {}
        number = self._numbers_in_table[number]
        at = bisect_right(self._starts, number) - 1
        file = self._files[at]
        if self._others[file].version() != self._versions[file]:
            raise ConfigError(f"{file} was replaced since it was opened: open it again")
        found = self._others[file].row(number - self._starts[at]) or {}
        return {name: found[name] for name in self._kept if found.get(name) is not None}

    def locate(self, row: InputRow) -> Location:
        if isinstance(row.picture, tuple):
            file, place = row.picture
            return TableCell(self._cells[file], place)
        return self._pictures.find(row.picture, row.key, by_key=self._key is not None)

    def _find(self, table: Table, options: TableOptions) -> tuple[str | None, str | None]:
        """The columns of pictures and captions; None where there is none."""
        text = next((name for name in _CAPTIONS if table.columns.get(name) in _TEXT), None)
        column, _, inner = (options.text_column or "").partition(".")
        if inner and column in _CHOICE and options.text_column not in table.columns:
            file = name_to_text(self._files[0])
            raise ConfigError(f"--text-column {options.text_column}: give {file}:{inner} for these captions")
        try:
            found = find_columns(table, self._source)
        except ConfigError:
            if options.given in {"--image-column", "--text-column"}:
                raise
            return None, text
        return found.image or found.url, options.text_column or text or found.text

    def _note_others(self, table: Table) -> None:
        """Note which other captions there are, by the first row."""
        _, row = next(table.rows(only=["prompt_id", "captions", "steps"]), (0, None))
        if isinstance(row, dict):
            self._chosen.row(row)
        self.choice_note = self._chosen.note

    def _choose(self, row: Row) -> Row | None:
        """The row with the chosen caption; None if it is of another contestant."""
        if not self._chosen.name or isinstance(row, BadRow):
            return row
        return self._chosen.row(row)

    def _read(self, file: str) -> Iterator[tuple[int, Row]]:
        table = open_table(file, self._source)
        found = [name for name in self._columns if name in table.columns]
        return table.rows(only=(*found, self._extra) if self._extra else found)

    def _row(self, keys: UniqueKeys, row: Row, number: int, place: tuple[str, int]) -> InputRow:
        if isinstance(row, BadRow):
            return InputRow(key=keys.unique(f"row-{number:08}"), caption=None, picture=None, note=row.message)
        picture = self._picture(row, place)
        named = self._name(row, picture)
        caption = row.get(self._text) if self._text is not None else None
        if isinstance(caption, list | tuple) and len(caption) > 1:
            self.with_several += 1
        return InputRow(
            key=keys.unique(named or f"row-{number:08}"),
            caption=caption or None if isinstance(caption, str) else first_text(caption),
            picture=picture,
            model=_text(row.get("model")) or "",
            prompt_id=_text(row.get("prompt_id")) or "",
        )

    def _picture(self, row: dict[str, Any], place: tuple[str, int]) -> str | tuple[str, int] | None:
        """A path, or the place of a cell that holds the picture itself."""
        if self._holds_bytes:
            return place
        try:
            data, name = bytes_and_name(row.get(self._image or ""))
        except TypeError:
            return None
        return place if data else name

    def _name(self, row: dict[str, Any], picture: str | tuple[str, int] | None) -> str | None:
        cell = row.get(self._image or "")
        inner = cell.get("path") if isinstance(cell, dict) else None
        names = (_text(row.get(KEY)), picture, inner, name_in(row, self._names))
        return next((name for name in names if isinstance(name, str) and name), None)


def _text(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(plain(value)) or None
