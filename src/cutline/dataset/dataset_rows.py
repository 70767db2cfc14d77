"""The rows of an open dataset: their captions, pictures, marks and proposals, read and searched."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa

from cutline.dataset.columns import DatasetColumns
from cutline.dataset.contents import DatasetContents
from cutline.dataset.dataset_clusters import DatasetClusters
from cutline.dataset.foreign_edits import ForeignEdits
from cutline.dataset.history import History
from cutline.dataset.input_options import TableOptions
from cutline.dataset.inputs import Listed
from cutline.dataset.marks import Marks
from cutline.dataset.opened_input import history_folder, open_input
from cutline.dataset.picture_copies import group_copies
from cutline.dataset.preview import RowNumbers
from cutline.dataset.properties import Properties
from cutline.dataset.proposals import ProposalStore
from cutline.dataset.query import evaluate, parse
from cutline.dataset.query.tree import Everything, Mark, mentions
from cutline.dataset.query_words import QueryWords
from cutline.dataset.replaced_texts import note_runs
from cutline.dataset.row_captions import RowCaptions
from cutline.dataset.row_numbers import Rows, row_numbers
from cutline.dataset.row_sets import NamedRows, RowSets
from cutline.dataset.scan import Entry
from cutline.dataset.tag_counts import TagCounts
from cutline.dataset.writer import Progress, Writer
from cutline.errors import SinkError
from cutline.records import Location

_TABLES: Final = TableOptions()


class DatasetRows:
    """The rows of an open dataset; ``Dataset`` adds edits."""

    def __init__(
        self,
        folder: str,
        *,
        ending: str = ".txt",
        one_a_line: bool = False,
        text_encoding: str | None = None,
        cache: Path | None = None,
        tables: TableOptions = _TABLES,
        listed: Listed | None = None,
    ) -> None:
        """Lists the pictures; ``read_texts`` reads their captions. Raises ConfigError: it is not a dataset.

        ``folder``: also a table or shards. ``ending``: extension of the texts. ``one_a_line``: each line of a
        text is a separate caption. ``text_encoding``: of texts that are not UTF-8. ``cache``: a folder for
        the caption cache. ``listed`` is called with the number of rows so far.
        """
        self.history = History(history_folder(folder))
        self._source = open_input(
            folder, self.history, tables, ending=ending, text_encoding=text_encoding, cache=cache
        )
        self.folder = self._source.place
        self.image_root = os.path.abspath(tables.image_root) if tables.image_root else ""  # noqa: PTH100 - strings
        self.one_a_line = one_a_line
        self._guard = threading.RLock()
        contents = DatasetContents(self._source.contents, self.history)
        self._writer = Writer(self.history, contents)
        self.recovered = self._writer.recover()
        with contextlib.suppress(SinkError):  # of a run under way, or in a folder that is only read
            self.note_runs()
        self._foreign = ForeignEdits(self.history, contents.read, self._note)
        self.marks = Marks(self.history)
        self.entries: Sequence[Entry] = self._source.entries(listed)
        self._rows = {entry.key: row for row, entry in enumerate(self.entries)}
        self._captions = RowCaptions(self._source, self.entries, self._guard)
        self.captions = self._captions.column
        """Captions of the rows that were read."""
        self._store = ProposalStore(self.history, self.entries, self._source.change)
        self.proposals = self._store.proposals
        properties = Properties(self.history, self.marks, self._store, self._captions, self._source)
        self.row_sets = RowSets(self.history, self._rows)
        """Named sets of rows, which ``in:NAME`` finds."""
        keys = [entry.key for entry in self.entries]
        self.clusters = DatasetClusters(self.folder, keys)
        """The latest clusters, which ``cluster:NAME`` finds."""
        self.query_words = QueryWords(TagCounts(self.captions), self.history, keys, self._guard, self._named)
        """The vocabulary of queries: tags, models, folders, and saved filters."""
        self._columns = DatasetColumns(
            self._rows,
            self.captions,
            properties.keys_with,
            self._named,
            self._picture_files if self.unit == "file" else None,
        )

    def note_runs(self, state: str | os.PathLike[str] | None = None) -> None:
        """Add the texts that runs replaced here to the history, an edit for each run; opening does it too.

        ``state``: the folder that the run had as its ``--state``.

        Raises:
            SinkError: a run writes here, or the history cannot be written.
        """
        if self.unit == "file":
            place = history_folder(self.folder) if state is None else Path(state)
            note_runs(self.history, self._source.contents, place)

    def read_texts(self, progress: Progress | None = None) -> None:
        """Read the captions of all rows, block by block; ``progress`` is called with the number read."""
        self._captions.read_all(progress)

    @property
    def foreign_edits(self) -> int:
        """The number of edits by other processes that were applied here."""
        return self._foreign.count

    def catch_up(self) -> None:
        """Apply edits by other processes, such as `cutline undo`."""
        with self._guard:
            self._foreign.catch_up()

    def texts(self) -> pa.ChunkedArray:
        """The captions of all rows, null if missing; waits until they are read."""
        self.read_texts()
        self.catch_up()
        with self._guard:
            return self.captions.array()

    def caption(self, row: int) -> str | None:
        """The caption of a row, read on demand."""
        return self._captions.caption(row)

    def refresh(self, rows: Rows) -> list[int]:
        """Reload captions of these rows that another program has changed; returns these rows."""
        return self._captions.refresh(self._numbers(rows).tolist())

    def problem(self, row: int) -> str:
        """Why the caption of a row cannot be edited, such as its file's encoding; empty if it can."""
        return self._source.problem(self.entries[row])

    def note(self, row: int) -> str:
        """A note about a row, such as why a run failed; mostly empty."""
        return self._source.note(self.entries[row])

    def text_name(self, row: int) -> str:
        """A unique path ending in ``.txt`` for the text beside a row's picture."""
        return self._source.text_name(self.entries[row])

    def original(self, row: int) -> str | None:
        """The caption in an input that is only read, without edits; None in a folder of texts."""
        return self._source.original(self.entries[row])

    def provenance(self, row: int) -> tuple[str, str]:
        """Model and prompt of a row's caption in the input; empty if unknown."""
        return self._source.provenance(self.entries[row])

    def columns(self, row: int) -> Mapping[str, Any]:
        """The other columns of a row in the input, by name.

        Raises:
            ConfigError: the input has been replaced since.
        """
        return self._source.columns(self.entries[row])

    @property
    def column_types(self) -> Mapping[str, Any]:
        """The Arrow types of these columns, if the input has any."""
        return self._source.column_types

    @property
    def unit(self) -> str:
        """The unit of an edit: a ``file``, or a ``caption`` if the input is read-only."""
        return self._source.unit

    @property
    def superseded(self) -> list[str]:
        """The keys of edited captions whose input text was replaced since; the input's text is shown."""
        return self._source.superseded()

    @property
    def with_several(self) -> int:
        """The rows of a table with a list of several captions, of which the first is read."""
        return self._source.with_several

    @property
    def choice_note(self) -> str:
        """Whose captions are read where a table has those of several prompts, and how to open others."""
        return self._source.choice_note

    def __len__(self) -> int:
        return len(self.entries)

    def find_row(self, key: str) -> int | None:
        """The row of a picture's path, or None."""
        return self._rows.get(key)

    def row(self, key: str) -> int:
        """The row of a picture's path; KeyError: there is no such picture."""
        return self._rows[key]

    def location(self, row: int) -> Location:
        """The location of a row's picture; PictureError: it cannot be found, or must not be read."""
        return self._source.location(self.entries[row])

    def find(self, query: str) -> RowNumbers:
        """The rows that match a query, in order; all for an empty one. QueryError: it cannot be parsed."""
        saved = self.query_words.filters() if "saved:" in query.lower() else {}
        node = parse(query, saved, lambda field, name: self._named(field).mask(name))
        if node == Everything():
            return self._numbers(None)
        self.read_texts()
        self.catch_up()
        if mentions(node, Mark("dup", "picture")):
            self._columns.read_pictures()  # takes long: edits continue meanwhile
        with self._guard:
            return np.flatnonzero(evaluate(node, self._columns))

    def _named(self, field: str) -> NamedRows:
        return self.clusters if field == "cluster" else self.row_sets

    def picture_groups(self, rows: Rows) -> list[list[int]]:
        """Those of the rows whose pictures have equal bytes; reads files."""
        rows = self._numbers(rows)
        files = [self._source.location(self.entries[row]).file() or "" for row in rows.tolist()]
        return [[int(rows[place]) for place in group] for group in group_copies(files)]

    def _picture_files(self) -> list[str]:
        return [self._source.location(entry).file() or "" for entry in self.entries]

    def close(self) -> None:
        self.history.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _numbers(self, rows: Rows | None) -> RowNumbers:
        return row_numbers(rows, len(self))

    def _note(self, contents: Mapping[str, bytes | None]) -> None:
        """Update rows with new contents of files."""
        self.marks.note(contents)
        self._store.note(contents)
        self._captions.note(contents)
