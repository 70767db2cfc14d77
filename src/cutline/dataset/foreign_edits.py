"""Detect edits by other processes while a dataset is open, such as `cutline undo` beside the studio."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from cutline.dataset.history import History
from cutline.dataset.records import Status
from cutline.errors import SampleError

Note = Callable[[Mapping[str, bytes | None]], None]


class ForeignEdits:
    """Finds them in the shared history. Thread-safe."""

    def __init__(self, history: History, read: Callable[[str], bytes | None], note: Note) -> None:
        """``note`` is called with the new contents of their files, from ``read``."""
        self._history = history
        self._read = read
        self._note = note
        self._guard = threading.Lock()
        self._own: set[int] = set()
        self.count = 0
        self._known = history.latest()

    def skip(self, edit: int | None) -> None:
        """Ignore an edit of this process."""
        if edit is not None:
            self._own.add(edit)

    def catch_up(self) -> None:
        """Apply what other processes have written since the last call."""
        if not self._history.is_changed_elsewhere():
            return
        with self._guard:
            for record in self._history.edits_after(self._known):
                if record.state == "open":  # it is written now, or its process is dead
                    break
                if record.id not in self._own:
                    self.count += 1
                    for changes in self._history.blocks(record.id, status=Status.WRITTEN):
                        self._note({change.file: self._content(change.file) for change in changes})
                self._own.discard(record.id)
                self._known = record.id

    def _content(self, file: str) -> bytes | None:
        try:
            return self._read(file)
        except SampleError:
            return None
