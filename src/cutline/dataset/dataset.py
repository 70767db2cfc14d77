"""An open dataset: query, edit, compare, export."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

import numpy as np

from cutline.dataset.authorship import Authorship
from cutline.dataset.caption_sets import caption_set
from cutline.dataset.dataset_rows import DatasetRows
from cutline.dataset.edits import Edit
from cutline.dataset.embeddings import Embeddings, Of, open_embeddings
from cutline.dataset.export.export import Export
from cutline.dataset.export.items import export_items
from cutline.dataset.export.records import ExportOptions, ExportResult
from cutline.dataset.marks import MARKS
from cutline.dataset.opened_input import history_folder
from cutline.dataset.preview import Preview, earlier_texts, new_texts, preview_edit
from cutline.dataset.proposals import CaptionFailure, ModelOutput, Proposal
from cutline.dataset.records import CaptionVersion, Change, EditInfo, EditRecord, EditResult, Status
from cutline.dataset.row_captions import LeftAlone
from cutline.dataset.row_numbers import Rows
from cutline.dataset.set_comparison import SetComparison
from cutline.dataset.writer import Progress, inverse
from cutline.errors import ConfigError
from cutline.formatting import nearest, plural
from cutline.sinks.chosen_captions import split_choice


class Dataset(DatasetRows):
    """Pictures, their captions, and the history of edits: of a folder, a table, or webdataset shards.

    Methods block, and are thread-safe. Rows are numbered in the order of the pictures' paths, or of the
    table: ``len()`` is their number, ``entries[row].key`` such a path, and ``row`` its inverse;
    ``rows`` are lists or arrays of such numbers, others are a ConfigError. ``history.edits()`` lists the
    edits as ``EditRecord``.
    A ``progress`` is called with the number of finished steps. As a context manager, it closes the history.
    """

    def preview(self, edit: Edit, rows: Rows | None = None, *, where: str = "") -> Preview:
        """Preview an edit of ``rows``, or of all; waits until all captions are read.

        ``where``: the query that found the rows, for the history.
        """
        within = f"where {where}" if where else ""
        if rows is not None:
            rows = np.unique(self._numbers(rows))
            within = within or f"in {plural(len(rows), 'picture')}" * (len(rows) < len(self))
        one_a_line = self.one_a_line
        return preview_edit(edit, self.texts(), self._numbers(rows), one_a_line=one_a_line, within=within)

    def conversions(self, preview: Preview) -> Mapping[str, int]:
        """How many files a preview would make UTF-8, by their encodings, which lack a new character."""
        encodings = self._source.encodings
        if not encodings:
            return {}
        is_other = [self.entries[row].sidecar in encodings for row in preview.rows.tolist()]
        some = dataclasses.replace(preview, rows=preview.rows[np.array(is_other, dtype=bool)])
        found = (self._source.converts(self.entries[row], text) for row, text in new_texts(some))
        return Counter(filter(None, found))

    def apply(self, preview: Preview, progress: Progress | None = None) -> EditResult:
        """Write the changes of a preview, except to texts that another program has changed since."""
        info = EditInfo(kind=preview.edit.kind, summary=preview.summary)
        return self._edit(info, new_texts(preview), earlier_texts(preview), progress)

    def set_captions(
        self,
        texts: Mapping[int, str | None],
        info: EditInfo,
        before: Mapping[int, str | None] | None = None,
        progress: Progress | None = None,
    ) -> EditResult:
        """Set the captions of rows, or delete them with None.

        ``before``: the captions to replace; a file with another one is a conflict, and stays unchanged.
        """
        self._numbers(texts)
        earlier = None if before is None else (before[row] for row in texts)
        return self._edit(info, texts.items(), earlier, progress)

    def set_mark(self, rows: Rows, mark: str, *, on: bool = True) -> EditResult:
        """Mark pictures as ``done`` or ``flagged``, or remove the mark."""
        if mark not in MARKS:
            raise ConfigError(f"there is no mark {mark!r}; there are {', '.join(MARKS)}")
        with self._guard:
            keys = [self.entries[row].key for row in self._numbers(rows).tolist()]
            summary = f"mark {plural(len(keys), 'picture')} as {mark if on else f'not {mark}'}"
            info = EditInfo(kind="mark", summary=summary)
            return self.write(info, self.marks.changes(keys, mark, on=on))

    def propose(self, proposals: Mapping[int, Proposal], info: EditInfo) -> EditResult:
        """Store proposed captions beside the current ones."""
        self._numbers(proposals)
        with self._guard:
            found = {
                row: dataclasses.replace(each, before=self.caption(row)) for row, each in proposals.items()
            }
            return self.add_output(ModelOutput(captions=found), info)

    def add_output(self, output: ModelOutput, info: EditInfo, extended: int | None = None) -> EditResult:
        """Store a model's results; ``extended``: the edit to add them to."""
        with self._guard:
            return self.write(info, self._store.put(output), extended=extended)

    def by_person(self, rows: Rows) -> set[int]:
        """Those of the rows whose caption was written by a person or has an unknown origin."""
        state = history_folder(self.folder)
        authorship = Authorship(self.history, state, self.entries, self._source)
        return authorship.by_person(
            row for row in self._numbers(rows).tolist() if self.caption(row) is not None
        )

    def failure(self, row: int) -> CaptionFailure | None:
        """Why a model failed on a picture; None once its caption has changed."""
        return self._store.failure(row, self.caption(row))

    def accept(
        self,
        rows: Rows,
        progress: Progress | None = None,
        *,
        texts: Mapping[int, str] | None = None,
        seen: Mapping[int, str | None] | None = None,
    ) -> EditResult:
        """Accept proposed captions; rows without one stay unchanged.

        ``texts``: captions that a person wrote from the proposals, by row. A caption that was changed after
        its proposal is a conflict and stays unchanged, unless it is the one in ``seen``.
        """
        with self._guard:
            found = self._store.accept(self._numbers(rows).tolist(), texts or {}, seen or {})
            result = self.write(found.info, found.changes, progress)
            return dataclasses.replace(
                result,
                conflicts=(*found.conflicts, *result.conflicts),
                failed=(*found.failed, *result.failed),
            )

    def reject(self, rows: Rows) -> EditResult:
        """Remove proposed captions."""
        with self._guard:
            changes = self._store.reject(self._numbers(rows).tolist())
            info = EditInfo(kind="reject", summary=f"reject {plural(len(changes), 'proposal')}")
            return self.write(info, changes)

    def undo(self, edit: int | None = None, progress: Progress | None = None) -> EditResult | None:
        """Undo an edit, by default the latest in effect; returns None if there is none.

        Texts that were changed since are conflicts and stay unchanged.
        """
        if edit is None:
            self.note_runs()
        record = self.history.undoable() if edit is None else self.history.edit(edit)
        if record is None:
            if edit is not None:
                raise ConfigError(f"there is no edit {edit}")
            return None
        return self._take_back(self.history.in_effect(record), progress)

    def redo(self, progress: Progress | None = None) -> EditResult | None:
        """Redo the last undone edit; returns None without one, or after another edit."""
        record = self.history.redoable()
        if record is None:
            return None
        return self._take_back(record, progress)

    def compare(self, sets: Sequence[str], *, blind: bool = False) -> SetComparison:
        """Compare two or three sets of captions: ``captions`` for the open ones, extensions, or outputs.

        An extension such as ``.caption`` names the texts beside the pictures, a path the output of a run.
        ``blind``: the order is random for each picture.

        Raises:
            ConfigError: a set cannot be read, or there is nothing to compare.
        """
        self.read_texts()
        return SetComparison(self, [caption_set(self, name) for name in sets], blind=blind)

    def embeddings(
        self,
        of: Of = "captions",
        *,
        model: str | None = None,
        weights: str | None = None,
        device: str = "auto",
    ) -> Embeddings:
        """Embeddings of the captions or images, in the user's cache; ``compute`` adds missing ones.

        ``model``: as for `cutline embed`, by default ``all-MiniLM-L6-v2`` for captions and
        ``efficientnet-lite0`` for images. ``weights``: a folder, a repository, or for image networks a
        safetensors file. ``device``: such as ``cpu`` or ``cuda:0``.

        Raises:
            MissingExtra: what the model needs is not installed.
            ConfigError: there is no such model, its weights cannot be loaded, or the cache is damaged.
        """
        return open_embeddings(self, of, model, weights, device)

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
        rows: Rows | None = None,
        *,
        format: str | None = None,  # noqa: A002 - as in the command
        overwrite: bool = False,
        empty: bool = False,
        progress: Progress | None = None,
    ) -> ExportResult:
        """Write the pictures and captions of ``rows``, or all, to a file or folder.

        ``format``: as for `cutline export`, by default that of the extension. ``overwrite``: replace an
        existing output. ``empty``: include pictures without a caption.

        Raises:
            ConfigError: the output or its format cannot be used, or there is nothing to export.
            SinkError: the output cannot be written.
        """
        options = ExportOptions(
            format=format, overwrite=overwrite, empty=empty, column_types=self.column_types
        )
        places = {self.folder, split_choice(self.folder)[0]}
        states = {os.path.realpath(history_folder(place)) for place in places}
        export = Export(os.fspath(output), (*places, *states), options)
        chosen = self._numbers(rows)
        return export.run(export_items(self, self.texts(), chosen), len(chosen), progress)

    def _take_back(self, record: EditRecord, progress: Progress | None) -> EditResult:
        with self._guard:
            changes: Iterator[Change] = chain.from_iterable(
                self.history.blocks(record.id, status=Status.WRITTEN)
            )
            if record.undone_by is not None:  # what was a conflict then may be none now
                done = {change.file for change in self.history.changes(record.undone_by)}
                changes = (change for change in changes if change.file not in done)
            return self.write(record.reversal, inverse(changes), progress)

    def _edit(
        self,
        info: EditInfo,
        texts: Iterable[tuple[int, str | None]],
        before: Iterable[str | None] | None,
        progress: Progress | None,
    ) -> EditResult:
        left = LeftAlone()
        with self._guard:
            result = self.write(info, self._captions.changes(texts, before, left), progress)
        return dataclasses.replace(
            result, conflicts=(*left.conflicts, *result.conflicts), failed=(*left.failed, *result.failed)
        )

    def write(
        self,
        info: EditInfo,
        changes: Iterable[Change],
        progress: Progress | None = None,
        *,
        extended: int | None = None,
    ) -> EditResult:
        """Apply changes as one edit of the history, or as a part of the edit ``extended``."""
        with self._guard:
            earlier = self._source.converted
            result = self._writer.apply(info, changes, self._note, progress, extended=extended)
            self._foreign.skip(result.id)
            converted = Counter(
                encoding for file, encoding in self._source.converted.items() if file not in earlier
            )
            return dataclasses.replace(result, converted=tuple(sorted(converted.items())))
