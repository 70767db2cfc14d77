"""Pages of text among the pictures that are searched for duplicates."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cutline.filters.page_copies import are_copies, contradictions
from cutline.measures.pages import BYTES

Indices: TypeAlias = NDArray[np.int64]

_AT_ONCE: Final = 1024  # pairs of pages, 8 MB


class Pages:
    """The ink of the pages among rows of pictures; ``places`` of each row, -1 for those that are none."""

    def __init__(self, places: NDArray[np.int32], ink: NDArray[np.uint64]) -> None:
        self._places, self._ink = places, ink

    @classmethod
    def of(cls, rows: Sequence[bytes | None]) -> Self:
        """Those of some rows, as ``cutline.measures.pages`` has them; ``()`` where no row has one."""
        found = [page for page in rows if page is not None]
        places = np.full(len(rows), -1, dtype=np.int32)
        places[[row for row, page in enumerate(rows) if page is not None]] = np.arange(len(found))
        ink = np.frombuffer(b"".join(found), dtype=np.uint64).reshape(-1, BYTES // 8)
        return cls(places, ink)

    def __len__(self) -> int:
        return len(self._ink)

    def at(self, rows: NDArray[Any]) -> Pages:
        """Those of some of the rows."""
        return Pages(self._places[rows], self._ink) if len(self) else self

    @property
    def digests(self) -> list[NDArray[np.uint64]]:
        """A column with a number for each row, the same for equal pages; none where there are no pages."""
        if not len(self):
            return []
        numbers = [hashlib.blake2b(one.tobytes(), digest_size=8).digest() for one in self._ink]
        column = np.frombuffer(b"".join([*numbers, bytes(8)]), dtype=np.uint64)
        return [column[self._places]]

    def are_pages(self, rows: Indices) -> NDArray[np.bool_]:
        return self._places[rows] >= 0

    def agree(self, left: Indices, right: Indices) -> NDArray[np.bool_]:
        """Which pairs of pages have the same ink, or are copies all the same."""
        first, second = self._places[left], self._places[right]
        apart = [np.zeros(0, dtype=np.int64)]
        for start in range(0, len(first), _AT_ONCE):
            ours, theirs = (self._ink[one[start : start + _AT_ONCE]] for one in (first, second))
            apart.append(contradictions(ours, theirs))
        same: NDArray[np.bool_] = (counts := np.concatenate(apart)) == 0
        for pair in np.flatnonzero(~same).tolist():
            same[pair] = are_copies(self._ink[first[pair]], self._ink[second[pair]], int(counts[pair]))
        return same


NO_PAGES: Final = Pages.of(())
