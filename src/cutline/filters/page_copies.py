"""Whether one page of text is a copy of another although their ink differs: cut, or with a watermark.

Pages in one layout differ where they are; a page that lost a strip at its edges differs nearly everywhere,
and hardly once it is moved and stretched to its place. A watermark only adds ink.
"""

from __future__ import annotations

import functools
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cutline.measures.pages import CELLS

Words: TypeAlias = NDArray[np.uint64]
Cells: TypeAlias = NDArray[np.bool_]

_STEP, _STEPS = 0.005, 8  # what an edge lost, at most 4 % of the side
_FEWEST: Final = 0.01  # of the ink contradicts the other page where one is a cut
_SOLID: Final = 0.05  # of the ink; with less, what one page has more may be a field that is filled in
_IN_PLACE: Final = 0.7  # of the contradictions are left at most


def contradictions(first: Words, second: Words) -> NDArray[np.int64]:
    """In how many cells one page surely has ink and the other surely paper; shapes (n, 512)."""
    half = first.shape[-1] // 2
    different = (first[..., :half] & ~second[..., half:]) | (second[..., :half] & ~first[..., half:])
    bits: NDArray[Any] = np.unpackbits(different.view(np.uint8), axis=-1)
    count: NDArray[np.int64] = bits.sum(axis=-1, dtype=np.int64)
    return count


def are_copies(first: Words, second: Words, contradicting: int) -> bool:
    """Whether two pages with ``contradicting`` cells are copies; shape (512,)."""
    (ink, marked), (other_ink, other_marked) = _cells(first), _cells(second)
    is_marked = not (ink & ~other_marked).any() or not (other_ink & ~marked).any()
    if is_marked and max(_solid(ink), _solid(other_ink)) > _SOLID:
        return True
    if contradicting < _FEWEST * max(int(ink.sum()), int(other_ink.sum())):
        return False
    rows, is_row = _move(_lines(ink, marked, 1), _lines(other_ink, other_marked, 1))
    columns, is_column = _move(_lines(ink, marked, 0), _lines(other_ink, other_marked, 0))
    inside = is_row[:, None] & is_column
    moved = np.ix_(rows, columns)
    left = (ink[moved] & ~other_marked & inside).sum() + (other_ink & ~marked[moved] & inside).sum()
    return bool(left <= _IN_PLACE * contradicting)


def _lines(ink: Cells, marked: Cells, axis: int) -> NDArray[np.int64]:
    """How much ink each row or column has."""
    found: NDArray[np.int64] = (ink.astype(np.int64) + marked).sum(axis=axis)
    return found


def _solid(ink: Cells) -> float:
    """The share of the ink that has ink for two cells around, as in bars and drawings, not in letters."""
    inner = ink
    for _ in range(2):
        padded = np.pad(inner, 1)
        inner = inner & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return float(inner.sum() / max(int(ink.sum()), 1))


def _cells(page: Words) -> tuple[Cells, Cells]:
    """The cells with ink, and those that are not paper."""
    bits = np.unpackbits(page.view(np.uint8)).reshape(2, CELLS, CELLS).astype(bool)
    return bits[0], bits[1]


def _move(lines: NDArray[Any], others: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """For each of the other page's lines the one that lies there, and whether there is one."""
    places, inside = _moves()
    differences = (np.abs(lines[places] - others) * inside).sum(axis=1) / inside.sum(axis=1)
    best = int(differences.argmin())
    return places[best], inside[best]


@functools.cache
def _moves() -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The lines of a page that lost so much of it at either end, or has so much more."""
    lost = np.arange(-_STEPS, _STEPS + 1) * _STEP
    begin, end = (one.reshape(-1, 1) for one in np.meshgrid(lost, lost, indexing="ij"))
    places = begin + (np.arange(CELLS) + 0.5) / CELLS * (1 - begin - end)
    inside = (places >= 0) & (places < 1)
    return np.clip((places * CELLS).astype(np.int64), 0, CELLS - 1), inside
