"""Properties of pictures that queries name, such as their marks and the model of their captions."""

from __future__ import annotations

import time
from collections.abc import Sequence

from cutline.dataset.history import History
from cutline.dataset.marks import Marks
from cutline.dataset.proposals import Proposals
from cutline.dataset.row_captions import RowCaptions
from cutline.dataset.scan import Entry


class Properties:
    """Finds the keys of the pictures that have a property."""

    def __init__(
        self,
        history: History,
        marks: Marks,
        proposals: Proposals,
        captions: RowCaptions,
        entries: Sequence[Entry],
    ) -> None:
        self._history, self._marks, self._proposals = history, marks, proposals
        self._captions, self._entries = captions, entries

    def keys_with(self, field: str, value: str) -> frozenset[str]:
        """Of ``has``, ``status``, ``model`` and ``edited``."""
        if field == "has":
            return self._proposals.keys()
        if field == "status":
            return self._marks.having(value)
        since = time.mktime((*time.localtime()[:3], 0, 0, 0, 0, 0, -1)) if value == "today" else 0.0
        found = set()
        for file, when, model in self._history.last_edits():
            row = self._captions.row_of(file)
            is_match = model == value if field == "model" else when >= since
            if row is not None and is_match:
                found.add(self._entries[row].key)
        return frozenset(found)
