"""Previews of edits."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cutline.dataset.edits import Edit, apply_to_lines
from cutline.dataset.regex_search import time_limit

_COMPARED: Final = 32_768  # captions that are looked at together
_BLOCK: Final = 4096  # changes that are in memory as Python's objects
RowNumbers = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The effect of an edit: ``rows``, of those in scope, change to ``after``; nothing is written.

    ``texts`` are the captions of all rows at that time; the new ones are made from them when they are
    wanted. ``one_a_line``: line by line. ``within``: the scope in words, empty for all captions.
    """

    edit: Edit
    scope: int
    rows: RowNumbers
    texts: pa.ChunkedArray = dataclasses.field(repr=False)
    one_a_line: bool = False
    within: str = ""

    @property
    def summary(self) -> str:
        """The edit and its scope, for the history."""
        return f"{self.edit.summary} {self.within}".rstrip()

    @property
    def before(self) -> pa.Array:
        """The captions of ``rows``."""
        return _take(self.texts, self.rows)

    @property
    def after(self) -> pa.Array:
        """The captions that ``rows`` would get."""
        return _changed(self.edit, self.before, one_a_line=self.one_a_line)

    def part(self, start: int, count: int) -> Preview:
        """The preview of ``count`` changes, from one on."""
        return dataclasses.replace(self, rows=self.rows[start : start + count])

    def without(self, rows: Sequence[int]) -> Preview:
        """The preview without the changes of these rows."""
        if not rows:
            return self
        return dataclasses.replace(self, rows=self.rows[~np.isin(self.rows, np.array(rows, dtype=np.int64))])


def new_texts(preview: Preview) -> Iterator[tuple[int, str | None]]:
    """Yield each changed row with its new caption, with few Python objects in memory."""
    for part in _parts(preview):
        yield from zip(part.rows.tolist(), part.after.to_pylist(), strict=True)


def earlier_texts(preview: Preview) -> Iterator[str | None]:
    """The replaced captions, in the same order."""
    for part in _parts(preview):
        yield from part.before.to_pylist()


def preview_edit(
    edit: Edit, texts: pa.ChunkedArray, rows: RowNumbers, *, one_a_line: bool, within: str = ""
) -> Preview:
    """Preview the edit of the captions ``texts`` of ``rows``, which are sorted.

    ``one_a_line``: line by line.
    """
    found = [rows[:0]]
    with time_limit():
        for start in range(0, len(rows), _COMPARED):
            some = rows[start : start + _COMPARED]
            before = _take(texts, some)
            differs = pc.not_equal(before, _changed(edit, before, one_a_line=one_a_line))
            found.append(some[pc.fill_null(differs, fill_value=False).to_numpy(zero_copy_only=False)])
    return Preview(
        edit=edit,
        scope=len(rows),
        rows=np.concatenate(found),
        texts=texts,
        one_a_line=one_a_line,
        within=within,
    )


def _parts(preview: Preview) -> Iterator[Preview]:
    return (preview.part(start, _BLOCK) for start in range(0, len(preview.rows), _BLOCK))


def _take(texts: pa.ChunkedArray, rows: RowNumbers) -> pa.Array:
    """The texts of rows, which are sorted; only what lies between the first and the last is copied."""
    if not len(rows):
        return pa.array([], pa.string())
    first, end = int(rows[0]), int(rows[-1]) + 1
    chunks = texts.slice(first, end - first)
    between = chunks.chunk(0) if chunks.num_chunks == 1 else chunks.combine_chunks()
    return between if len(between) == len(rows) else between.take(pa.array(rows - first))


def _changed(edit: Edit, texts: pa.Array, *, one_a_line: bool) -> pa.Array:
    return apply_to_lines(edit, texts) if one_a_line else edit.apply(texts)
