"""A dataset that is open for editing."""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Final, Self

import numpy as np
import pyarrow as pa

from cutline.dataset.authorship import Authorship
from cutline.dataset.columns import DatasetColumns
from cutline.dataset.contents import DatasetContents
from cutline.dataset.edits import Edit
from cutline.dataset.export.export import Export
from cutline.dataset.export.items import export_items
from cutline.dataset.export.records import ExportOptions, ExportResult
from cutline.dataset.folder_input import FolderInput
from cutline.dataset.history import History
from cutline.dataset.marks import MARKS, Marks
from cutline.dataset.preview import Preview, RowNumbers, earlier_texts, new_texts, preview_edit
from cutline.dataset.properties import Properties
from cutline.dataset.proposals import CaptionFailure, ModelOutput, Proposal, ProposalStore
from cutline.dataset.query import evaluate, parse
from cutline.dataset.query.tree import Everything, Mark, mentions
from cutline.dataset.query_words import QueryWords
from cutline.dataset.records import CaptionVersion, Change, EditInfo, EditRecord, EditResult, Status
from cutline.dataset.row_captions import LeftAlone, RowCaptions
from cutline.dataset.scan import Entry
from cutline.dataset.tag_counts import TagCounts
from cutline.dataset.writer import Progress, Writer, inverse
from cutline.errors import ConfigError
from cutline.formatting import nearest, plural
from cutline.records import Location

STATE_ENDING: Final = ".cutline"


class Dataset:
    """The pictures of a folder, their captions, and the history of edits. Methods block; any thread may call.

    Rows are numbered in the order of the pictures' paths: ``len()`` is their number, ``entries[row].key``
    such a path, and ``row`` its inverse; ``RowNumbers`` are arrays of int64. ``history.edits()`` lists the
    edits as ``EditRecord``. A ``progress`` is called with the number of steps that are done. As a context,
    it closes the history.
    """

    def __init__(
        self,
        folder: str,
        *,
        ending: str = ".txt",
        one_a_line: bool = False,
        text_encoding: str | None = None,
        cache: Path | None = None,
    ) -> None:
        """Lists the pictures; ``read_texts`` reads their captions. Raises ConfigError: it is no folder.

        ``ending`` is that of the texts. ``one_a_line``: each line of a text is a caption, and edited by
        itself. ``text_encoding``: of texts that are not UTF-8. ``cache``: a folder that keeps what was read.
        """
        self._source = FolderInput(folder, ending, text_encoding, cache)
        self.folder = self._source.place
        self.one_a_line = one_a_line
        self._guard = threading.RLock()
        self.history = History(Path(self.folder + STATE_ENDING))
        self._writer = Writer(self.history, DatasetContents(self._source.contents, self.history))
        self.recovered = self._writer.recover()
        self.marks = Marks(self.history)
        self.entries: Sequence[Entry] = self._source.entries()
        self._rows = {entry.key: row for row, entry in enumerate(self.entries)}
        self._captions = RowCaptions(self._source, self.entries, self._guard)
        self.captions = self._captions.column
        """Captions of the rows that were read."""
        self._store = ProposalStore(self.history, self.entries, self._source.change)
        self.proposals = self._store.proposals
        properties = Properties(self.history, self.marks, self._store, self._captions, self.entries)
        keys = [entry.key for entry in self.entries]
        self.query_words = QueryWords(TagCounts(self.captions), self.history, keys, self._guard)
        """What queries can name: tags, models, folders, and saved filters."""
        self._columns = DatasetColumns(
            self._rows, self.captions, properties.keys_with, lambda: list(map(self.picture, range(len(self))))
        )

    def read_texts(self, progress: Progress | None = None) -> None:
        """Read the captions of all rows, block by block; ``progress`` is called with the rows read."""
        self._captions.read_all(progress)

    def texts(self) -> pa.ChunkedArray:
        """The captions of all rows, null for none, once they are read."""
        self.read_texts()
        with self._guard:
            return self.captions.array()

    def caption(self, row: int) -> str | None:
        """The caption of a row, which is read now if it was not before."""
        return self._captions.caption(row)

    def refresh(self, rows: Iterable[int]) -> list[int]:
        """Notice captions of these rows that another program has changed; returns the rows that have been."""
        return self._captions.refresh(rows)

    def problem(self, row: int) -> str:
        """Why the caption of a row cannot be edited, such as its file's encoding; empty if it can."""
        return self._source.problem(self.entries[row])

    def __len__(self) -> int:
        return len(self.entries)

    def row(self, key: str) -> int:
        """The row of a picture, by its path; KeyError: there is no such picture."""
        return self._rows[key]

    def picture(self, row: int) -> str:
        """The path of a row's picture, as on disk."""
        return os.path.join(self.folder, self.entries[row].picture)  # noqa: PTH118 - strings

    def location(self, row: int) -> Location:
        """Where a row's picture is."""
        return self._source.location(self.entries[row])

    def find(self, query: str) -> RowNumbers:
        """The rows that match a query, in order; all for an empty one. QueryError: it cannot be parsed."""
        node = parse(query, self.query_words.filters() if "saved:" in query.lower() else {})
        if node == Everything():
            return self._rows_or_all(None)
        self.read_texts()
        if mentions(node, Mark("dup", "picture")):
            self._columns.read_pictures()  # takes long: edits go on meanwhile
        with self._guard:
            return np.flatnonzero(evaluate(node, self._columns))

    def preview(self, edit: Edit, rows: RowNumbers | None = None) -> Preview:
        """What the edit changes among ``rows``, or all; waits until all captions are read."""
        return preview_edit(edit, self.texts(), self._rows_or_all(rows), one_a_line=self.one_a_line)

    def apply(self, preview: Preview, progress: Progress | None = None) -> EditResult:
        """Write what a preview shows; texts that were changed since by another program are left alone."""
        info = EditInfo(kind=preview.edit.kind, summary=preview.edit.summary)
        return self._edit(info, new_texts(preview), earlier_texts(preview), progress)

    def set_captions(
        self,
        texts: Mapping[int, str | None],
        info: EditInfo,
        before: Mapping[int, str | None] | None = None,
        progress: Progress | None = None,
    ) -> EditResult:
        """Give rows new captions, None to delete one.

        ``before``: the captions that they replace; a file that holds another one is a conflict, and is
        left alone.
        """
        earlier = None if before is None else (before[row] for row in texts)
        return self._edit(info, texts.items(), earlier, progress)

    def set_mark(self, rows: Iterable[int], mark: str, *, on: bool = True) -> EditResult:
        """Mark pictures as ``done`` or ``flagged``, or remove the mark."""
        if mark not in MARKS:
            raise ConfigError(f"there is no mark {mark!r}; there are {', '.join(MARKS)}")
        with self._guard:
            keys = [self.entries[row].key for row in rows]
            summary = f"mark {plural(len(keys), 'picture')} as {mark if on else f'not {mark}'}"
            info = EditInfo(kind="mark", summary=summary)
            return self._write(info, self.marks.changes(keys, mark, on=on))

    def propose(self, proposals: Mapping[int, Proposal], info: EditInfo) -> EditResult:
        """Put proposed captions beside those that are there now."""
        with self._guard:
            found = {
                row: dataclasses.replace(each, before=self.caption(row)) for row, each in proposals.items()
            }
            return self.add_output(ModelOutput(captions=found), info)

    def add_output(self, output: ModelOutput, info: EditInfo, extended: int | None = None) -> EditResult:
        """Keep what a model returned; ``extended``: the edit of this model that it becomes a part of."""
        with self._guard:
            return self._write(info, self._store.put(output), extended=extended)

    def by_person(self, rows: Iterable[int]) -> set[int]:
        """The rows, of these, with a caption that a person wrote, or that is of unknown origin."""
        state = Path(self.folder + STATE_ENDING)
        authorship = Authorship(self.history, state, self.entries, self._source.contents.read)
        return authorship.by_person(row for row in rows if self.caption(row) is not None)

    def failure(self, row: int) -> CaptionFailure | None:
        """Why a model has no caption for a picture; None once it got another one."""
        return self._store.failure(row, self.caption(row))

    def accept(
        self,
        rows: Iterable[int],
        progress: Progress | None = None,
        *,
        texts: Mapping[int, str] | None = None,
        seen: Mapping[int, str | None] | None = None,
    ) -> EditResult:
        """Make proposed captions the captions; rows without one stay as they are.

        ``texts``: captions that a person wrote from the proposals, by row. A caption that was changed since
        its proposal was made is a conflict and left alone, unless it is the one in ``seen``.
        """
        with self._guard:
            found = self._store.accept(rows, texts or {}, seen or {})
            result = self._write(found.info, found.changes, progress)
            return dataclasses.replace(
                result,
                conflicts=(*found.conflicts, *result.conflicts),
                failed=(*found.failed, *result.failed),
            )

    def reject(self, rows: Iterable[int]) -> EditResult:
        """Remove proposed captions."""
        with self._guard:
            changes = self._store.reject(rows)
            info = EditInfo(kind="reject", summary=f"reject {plural(len(changes), 'proposal')}")
            return self._write(info, changes)

    def undo(self, edit: int | None = None, progress: Progress | None = None) -> EditResult | None:
        """Take back an edit, by default the latest in effect; None: there is nothing to undo.

        Texts that were changed since are conflicts and left alone.
        """
        record = self.history.undoable() if edit is None else self.history.edit(edit)
        if record is None:
            if edit is not None:
                raise ConfigError(f"there is no edit {edit}")
            return None
        return self._take_back(record, "undo", f"undo: {record.info.summary}", progress)

    def redo(self, progress: Progress | None = None) -> EditResult | None:
        """Apply again what was undone last; None: nothing was, or something was edited since."""
        record = self.history.redoable()
        if record is None:
            return None
        return self._take_back(
            record, "redo", f"redo: {record.info.summary.removeprefix('undo: ')}", progress
        )

    def versions(self, key: str) -> list[CaptionVersion]:
        """The captions that a picture has had, the latest first; ConfigError: there is no such picture."""
        row = self._rows.get(key)
        if row is None:
            near = nearest(key, self._rows)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"there is no picture {key}{meant}")
        return self._captions.versions(row, self.history)

    def export(
        self,
        output: str | os.PathLike[str],
        rows: RowNumbers | None = None,
        *,
        format: str | None = None,  # noqa: A002 - as of the command
        overwrite: bool = False,
        empty: bool = False,
        progress: Progress | None = None,
    ) -> ExportResult:
        """Write the pictures and captions of ``rows``, or all, to a file or folder.

        ``format``: as of `cutline export`, by default that of the ending. ``overwrite``: an output that is
        there is replaced. ``empty``: pictures without a caption too, with an empty one.

        Raises:
            ConfigError: the output or its format cannot be used, or there is nothing to export.
            SinkError: the output cannot be written.
        """
        options = ExportOptions(format=format, overwrite=overwrite, empty=empty)
        state = os.path.realpath(self.folder + STATE_ENDING)
        export = Export(os.fspath(output), (self.folder, state), options)
        rows = self._rows_or_all(rows)
        return export.run(export_items(self, self.texts(), rows), len(rows), progress)

    def close(self) -> None:
        self.history.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _rows_or_all(self, rows: RowNumbers | None) -> RowNumbers:
        return np.arange(len(self), dtype=np.int64) if rows is None else rows

    def _take_back(
        self, record: EditRecord, kind: str, summary: str, progress: Progress | None
    ) -> EditResult:
        info = EditInfo(kind=kind, summary=summary, target=record.id)
        with self._guard:
            changes: Iterator[Change] = chain.from_iterable(
                self.history.blocks(record.id, status=Status.WRITTEN)
            )
            if record.undone_by is not None:  # what was a conflict then may be none now
                done = {change.file for change in self.history.changes(record.undone_by)}
                changes = (change for change in changes if change.file not in done)
            return self._write(info, inverse(changes), progress)

    def _edit(
        self,
        info: EditInfo,
        texts: Iterable[tuple[int, str | None]],
        before: Iterable[str | None] | None,
        progress: Progress | None,
    ) -> EditResult:
        left = LeftAlone()
        with self._guard:
            result = self._write(info, self._captions.changes(texts, before, left), progress)
        return dataclasses.replace(
            result, conflicts=(*left.conflicts, *result.conflicts), failed=(*left.failed, *result.failed)
        )

    def _write(
        self,
        info: EditInfo,
        changes: Iterable[Change],
        progress: Progress | None = None,
        *,
        extended: int | None = None,
    ) -> EditResult:
        return self._writer.apply(info, changes, self._note, progress, extended=extended)

    def _note(self, contents: Mapping[str, bytes | None]) -> None:
        """Take over what files hold now."""
        self.marks.note(contents)
        self._store.note(contents)
        self._captions.note(contents)
