"""Which captions were written by people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from cutline.dataset.history import History
from cutline.dataset.inputs import DatasetInput
from cutline.dataset.replaced_texts import OWNERSHIP
from cutline.dataset.scan import Entry
from cutline.errors import SampleError
from cutline.files import name_to_text
from cutline.sidecars.ownership import Written, file_id, written_files


class Authorship:
    """Uses the history for captions that edits wrote, and the records of runs in ``state`` for others.

    A caption of unknown origin counts as a person's.
    """

    def __init__(self, history: History, state: Path, entries: Sequence[Entry], source: DatasetInput) -> None:
        self._history, self._state = history, state
        self._entries, self._source = entries, source

    def by_person(self, rows: Iterable[int]) -> set[int]:
        """Those of the rows, which have captions, whose caption a person wrote."""
        edits = {file: not model or bool(author) for file, _, model, author in self._history.last_edits()}
        runs = written_files(self._state / OWNERSHIP)
        found = set()
        for row in rows:
            entry = self._entries[row]
            file = name_to_text(entry.sidecar)
            is_edited = edits.get(file)
            if is_edited if is_edited is not None else not self._is_of_run(entry, runs.get(file_id(file))):
                found.add(row)
        return found

    def _is_of_run(self, entry: Entry, written: Written | None) -> bool:
        """Whether a table names the model of a caption, or a file holds what a run wrote last."""
        if self._source.provenance(entry)[0]:
            return True
        if written is None:
            return False
        try:
            content = self._source.contents.read(name_to_text(entry.sidecar))
        except SampleError:
            return False
        return content is not None and content != written.before and written.covers(content)
