"""Properties of pictures in queries, such as marks and the model of a caption."""

from __future__ import annotations

import time
from collections.abc import Iterator

from cutline.dataset.history import History
from cutline.dataset.inputs import DatasetInput
from cutline.dataset.marks import Marks
from cutline.dataset.proposals import ProposalStore
from cutline.dataset.row_captions import RowCaptions


class Properties:
    """Finds the keys of the pictures with a property."""

    def __init__(
        self,
        history: History,
        marks: Marks,
        store: ProposalStore,
        captions: RowCaptions,
        source: DatasetInput,
    ) -> None:
        self._history, self._marks, self._store = history, marks, store
        self._captions, self._source = captions, source

    def keys_with(self, field: str, value: str) -> frozenset[str]:
        """The keys for a value of ``has``, ``status``, ``failed``, ``model`` or ``edited``."""
        if field == "has":
            return self._store.proposals.keys()
        if field == "status" and value != "failed":
            return self._marks.having(value)
        if field in {"status", "failed"}:
            kind = value if field == "failed" else None
            return frozenset(key for key, found in self._failures() if kind in {None, found})
        since = time.mktime((*time.localtime()[:3], 0, 0, 0, 0, 0, -1)) if value == "today" else 0.0
        found = set(self._source.written_by(value)) if field == "model" else set()
        for file, when, model, _ in self._history.last_edits():
            key = self._captions.key_of(file)
            is_match = model == value if field == "model" else when >= since
            if key is not None and is_match:
                found.add(key)
            elif key is not None:
                found.discard(key)
        return frozenset(found)

    def _failures(self) -> Iterator[tuple[str, str]]:
        """The pictures on which a model failed, and the kind of failure."""
        failed = self._store.failures.keys()
        for row, entry in enumerate(self._captions.entries) if failed else ():
            if entry.key in failed:
                failure = self._store.failure(row, self._captions.caption(row))
                if failure is not None:
                    yield entry.key, failure.kind
