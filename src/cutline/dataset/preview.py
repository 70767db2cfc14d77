"""What an edit would do, before anything is written."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cutline.dataset.edits import Edit, apply_to_lines

_BLOCK: Final = 1000
RowNumbers = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What an edit would do: ``rows`` of those in scope change, to ``after``; nothing is written yet.

    ``within``: the scope in words, empty for all captions.
    """

    edit: Edit
    scope: int
    rows: RowNumbers
    before: pa.Array
    after: pa.Array
    within: str = ""

    @property
    def summary(self) -> str:
        """What it does and where, for the history."""
        return f"{self.edit.summary} {self.within}".rstrip()

    def without(self, rows: Sequence[int]) -> Preview:
        """The preview without the changes of these rows."""
        if not rows:
            return self
        kept = ~np.isin(self.rows, np.array(rows, dtype=np.int64))
        mask = pa.array(kept)
        return dataclasses.replace(
            self, rows=self.rows[kept], before=self.before.filter(mask), after=self.after.filter(mask)
        )


def new_texts(preview: Preview) -> Iterator[tuple[int, str | None]]:
    """Each row that changes with its new caption; few of them are in memory as Python's objects."""
    return zip(map(int, preview.rows), _each(preview.after), strict=True)


def earlier_texts(preview: Preview) -> Iterator[str | None]:
    """The captions that these replace, in the same order."""
    return _each(preview.before)


def _each(texts: pa.Array) -> Iterator[str | None]:
    for start in range(0, len(texts), _BLOCK):
        yield from texts[start : start + _BLOCK].to_pylist()


def preview_edit(
    edit: Edit, texts: pa.ChunkedArray, rows: RowNumbers, *, one_a_line: bool, within: str = ""
) -> Preview:
    """What the edit changes in the captions ``texts`` of ``rows``; ``one_a_line``: line by line."""
    before = texts.take(pa.array(rows)).combine_chunks()
    after = apply_to_lines(edit, before) if one_a_line else edit.apply(before)
    changed = pc.fill_null(pc.not_equal(before, after), fill_value=False)
    return Preview(
        edit=edit,
        scope=len(rows),
        rows=rows[changed.to_numpy(zero_copy_only=False)],
        before=before.filter(changed),
        after=after.filter(changed),
        within=within,
    )
