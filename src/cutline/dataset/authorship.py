"""Which captions a person wrote, as far as is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from cutline.dataset.history import History
from cutline.dataset.scan import Entry
from cutline.errors import SampleError
from cutline.files import name_to_text
from cutline.sidecars.ownership import Written, file_id, written_files

_OWNERSHIP: Final = "sidecars.sqlite"


class Authorship:
    """Of a caption that an edit wrote, the edit tells; of others, what runs recorded in ``state``.

    A caption of unknown origin counts as a person's.
    """

    def __init__(
        self, history: History, state: Path, entries: Sequence[Entry], read: Callable[[str], bytes | None]
    ) -> None:
        """``read``: the content of a caption's file."""
        self._history, self._state = history, state
        self._entries, self._read = entries, read

    def by_person(self, rows: Iterable[int]) -> set[int]:
        """The rows, of these, with captions that a person wrote; all of them have captions."""
        edits = {file: not model or bool(author) for file, _, model, author in self._history.last_edits()}
        runs = written_files(self._state / _OWNERSHIP)
        found = set()
        for row in rows:
            file = name_to_text(self._entries[row].sidecar)
            is_edited = edits.get(file)
            if is_edited if is_edited is not None else not self._is_of_run(file, runs.get(file_id(file))):
                found.add(row)
        return found

    def _is_of_run(self, file: str, written: Written | None) -> bool:
        """Whether a file holds what a run wrote last."""
        if written is None:
            return False
        try:
            content = self._read(file)
        except SampleError:
            return False
        return content is not None and content != written.before and written.covers(content)
