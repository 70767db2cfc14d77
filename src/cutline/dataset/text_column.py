"""The captions of a dataset in memory, as Arrow blocks; an edit replaces only its block."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import pyarrow as pa

BLOCK: Final = 8192  # rows
_MANY: Final = 2 * BLOCK  # texts outside of blocks, which take several times the memory


class TextColumn:
    """One text or None for each row, as one Arrow array for queries, and row by row.

    Memory is that of the texts in UTF-8. Not for several threads at once.
    """

    def __init__(self, texts: Iterable[str | None] = ()) -> None:
        self._blocks: list[pa.Array] = []
        self._changed: dict[int, dict[int, str | None]] = {}
        self._size = 0
        self._whole: pa.ChunkedArray | None = None
        self._derived: dict[str, list[pa.Array | None]] = {}
        self.extend(texts)

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, row: int) -> str | None:
        block, place = divmod(row, BLOCK)
        changed = self._changed.get(block)
        if changed is not None and place in changed:
            return changed[place]
        text: str | None = self._blocks[block][place].as_py()
        return text

    def extend(self, texts: Iterable[str | None]) -> None:
        """Add rows at the end."""
        self._settle()
        last = self._blocks.pop().to_pylist() if self._size % BLOCK else []
        for values in self._derived.values():
            del values[len(self._blocks) :]
        last.extend(texts)
        self._size = len(self._blocks) * BLOCK + len(last)
        self._blocks += (
            pa.array(last[start : start + BLOCK], pa.string()) for start in range(0, len(last), BLOCK)
        )
        self._whole = None

    def update(self, texts: Mapping[int, str | None]) -> None:
        """Replace the texts of some rows."""
        for row, text in texts.items():
            block, place = divmod(row, BLOCK)
            self._changed.setdefault(block, {})[place] = text
        self._whole = None
        if sum(map(len, self._changed.values())) > _MANY:
            self._settle()

    def array(self) -> pa.ChunkedArray:
        """All texts, null if missing."""
        self._settle()
        if self._whole is None:
            self._whole = pa.chunked_array(self._blocks, pa.string())
        return self._whole

    def derive(self, name: str, function: Callable[[pa.Array], pa.Array]) -> pa.ChunkedArray:
        """``function`` of every block, cached under ``name`` until the block changes."""
        self._settle()
        values = self._derived.setdefault(name, [])
        values += [None] * (len(self._blocks) - len(values))
        for number, value in enumerate(values):
            if value is None:
                values[number] = function(self._blocks[number])
        return pa.chunked_array(values) if values else pa.chunked_array([function(pa.array([], pa.string()))])

    def _settle(self) -> None:
        for block, changed in self._changed.items():
            texts = self._blocks[block].to_pylist()
            for place, text in changed.items():
                texts[place] = text
            self._blocks[block] = pa.array(texts, pa.string())
            for values in self._derived.values():
                if block < len(values):
                    values[block] = None
        self._changed.clear()
