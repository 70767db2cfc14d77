"""Find near duplicates among many pictures, by bands of their hashes.

Pictures are compared where one of 32 bands of 16 bits is equal (locality-sensitive hashing: Indyk and
Motwani, "Approximate Nearest Neighbors", 1998), and are near where the whole hashes differ in few bits.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cutline.filters.pages import NO_PAGES, Pages
from cutline.measures.hashes import BYTES

MAX_DCT: Final = 64
MAX_GRADIENT: Final = 48

_SURE_DCT: Final = 48  # near whatever the gradient hashes are
_MAX_BESIDE: Final = 104  # of the DCT hashes where the gradient hashes are near

_BANDS: Final = BYTES // 2
_NONE: Final = np.uint16(0xFFFF)

Indices: TypeAlias = NDArray[np.int64]
Words: TypeAlias = NDArray[np.uint64]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Parameters of a search; they change its time and memory, not its result.

    ``few``: up to this number of pictures are compared directly, more are halved; ``many``: from this number
    on, kept pictures get a table of their bands; ``chunk``: pairs compared at a time.
    """

    few: int = 2048
    many: int = 2048
    chunk: int = 1 << 18


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Nearest:
    """For each picture the row of the kept one that it duplicates (its own row if kept), and the distance.

    The distance is that of the DCT hashes in bits of 256, or of the gradient hashes where that is smaller.
    """

    kept: Indices
    distance: NDArray[np.uint16]


def nearest_kept(hashes: NDArray[np.uint8], sizes: Sizes = Sizes(), *, pages: Pages = NO_PAGES) -> Nearest:
    """Keep each picture that is near no kept one before it. ``hashes``: shape (n, 64), the best first.

    Two ``pages`` of text are near only if their ink agrees.
    Each of the others is near the kept one that it names, not near a neighbour's neighbour.
    """
    hashes = np.ascontiguousarray(hashes)
    search = _Search(hashes, sizes, pages)
    search.resolve(np.arange(len(hashes)))
    return Nearest(kept=search.kept, distance=search.distance)


class _Search:
    def __init__(self, hashes: NDArray[np.uint8], sizes: Sizes, pages: Pages) -> None:
        self._sizes = sizes
        self._pages = pages
        self._words: Words = hashes.view(np.uint64)
        self._bands = hashes.view(np.uint16)
        self._rising = _added(_count_bits(self._words[:, 4:])).astype(np.int32)
        self.kept: Indices = np.arange(len(hashes))
        self.distance = np.zeros(len(hashes), dtype=np.uint16)

    def resolve(self, rows: Indices) -> Indices:
        """The kept rows of ``rows``, in order; earlier kept rows are known to be far from them.

        Works in halves: rows near a kept one of the first half are not compared with the second.
        """
        if len(rows) <= self._sizes.few:
            return self._resolve_few(rows)
        middle = len(rows) // 2
        first = self.resolve(rows[:middle])
        rest = self._without_near(first, rows[middle:])
        return np.concatenate((first, self.resolve(rest)))

    def _without_near(self, kept: Indices, rows: Indices) -> Indices:
        """The rows near none of ``kept``; the others are assigned to the nearest one."""
        best = np.full(len(rows), _NONE)
        owner = np.zeros(len(rows), dtype=np.int64)
        for band in range(_BANDS):
            values, own = self._bands[kept, band], self._bands[rows, band]
            order = np.argsort(values, kind="stable")
            if len(kept) > self._sizes.many:  # a table of all values instead of searches
                ends = np.cumsum(np.bincount(values, minlength=1 << 16))
                starts = np.concatenate(([0], ends[:-1]))
                low, count = starts[own], (ends - starts)[own]
            else:
                values = values[order]
                low = np.searchsorted(values, own, "left")
                count = np.searchsorted(values, own, "right") - low
            for right, place in _expanded(low, count, self._sizes.chunk):
                left = order[place]
                found, distance = self._near(kept[left], rows[right], band)
                _take_best(best, owner, right[found], kept[left[found]], distance)
        near = best != _NONE
        self.kept[rows[near]], self.distance[rows[near]] = owner[near], best[near]
        far: Indices = rows[~near]
        return far

    def _resolve_few(self, rows: Indices) -> Indices:
        lefts: list[Indices] = [np.zeros(0, dtype=np.int64)]
        rights, distances = list(lefts), [np.zeros(0, dtype=np.uint16)]
        for band in range(_BANDS):
            values = self._bands[rows, band]
            order = np.argsort(values, kind="stable")
            values = values[order]
            end = np.searchsorted(values, values, "right")
            places = np.arange(len(rows))
            for left, place in _expanded(places + 1, end - places - 1, self._sizes.chunk):
                first, second = order[left], order[place]
                first, second = np.minimum(first, second), np.maximum(first, second)
                found, distance = self._near(rows[first], rows[second], band)
                lefts.append(first[found])
                rights.append(second[found])
                distances.append(distance)
        left, right = np.concatenate(lefts), np.concatenate(rights)
        return self._greedy(rows, left, right, np.concatenate(distances))

    def _greedy(self, rows: Indices, left: Indices, right: Indices, distance: NDArray[np.uint16]) -> Indices:
        """Keep rows in order unless they are near a kept one; the pairs are positions in ``rows``."""
        best = np.full(len(rows), _NONE)
        owner = np.zeros(len(rows), dtype=np.int64)
        order = np.argsort(left, kind="stable")
        left, right, distance = left[order], right[order], distance[order]
        starts = np.flatnonzero(np.diff(left, prepend=-1))
        ends = [*starts[1:].tolist(), len(left)] if len(left) else []
        for start, end in zip(starts.tolist(), ends, strict=True):
            place = int(left[start])
            if best[place] != _NONE:
                continue
            others = np.full(end - start, rows[place])
            _take_best(best, owner, right[start:end], others, distance[start:end])
        near = best != _NONE
        self.kept[rows[near]], self.distance[rows[near]] = owner[near], best[near]
        far: Indices = rows[~near]
        return far

    def _near(self, left: Indices, right: Indices, band: int) -> tuple[NDArray[np.intp], NDArray[np.uint16]]:
        """Which of the pairs are near, and the distances of these; their ``band`` is equal."""
        differences = self._words[left]
        differences ^= self._words[right]
        bits = _count_bits(differences)
        dct, gradient = _added(bits[:, :4]), _added(bits[:, 4:])
        found = np.flatnonzero((dct <= MAX_DCT) | (gradient <= MAX_GRADIENT))
        rising = self._rising[left[found]], self._rising[right[found]]
        found = found[are_near(dct[found], gradient[found], *rising)]
        if len(self._pages):
            found = found[self._agree(left[found], right[found], band)]
        return found, np.minimum(dct[found], gradient[found])

    def _agree(self, left: Indices, right: Indices, band: int) -> NDArray[np.bool_]:
        """Which pairs are not two pages with different ink; False for those that an earlier band had."""
        agree = np.ones(len(left), dtype=bool)
        both = np.flatnonzero(self._pages.are_pages(left) & self._pages.are_pages(right))
        seen = (self._bands[left[both], :band] == self._bands[right[both], :band]).any(axis=1)
        agree[both[seen]] = False
        both = both[~seen]
        agree[both] = self._pages.agree(left[both], right[both])
        return agree


def are_near(
    dct: NDArray[Any], gradient: NDArray[Any], left: NDArray[np.int32], right: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """Which pairs are near, by their distances and the number of set bits in each gradient hash.

    Plain areas set no bits, so that different things on white differ in few: the gradient hashes may differ
    in three eighths of what does by chance, ``MAX_GRADIENT`` where half of the bits are set. They confirm
    near DCT hashes if they differ in at most half of that.
    """
    by_chance = left * (256 - right) + right * (256 - left)
    most = np.minimum(3 * by_chance // (8 * 256), MAX_GRADIENT)
    confirmed = 2 * 256 * gradient.astype(np.int32) <= by_chance
    near: NDArray[np.bool_] = (
        (dct <= _SURE_DCT) | ((dct <= MAX_DCT) & confirmed) | ((gradient <= most) & (dct <= _MAX_BESIDE))
    )
    return near


def _added(bits: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """The sums of the rows of a few columns; faster than ``sum`` over so short an axis."""
    total = bits[:, 0].astype(np.uint16)
    for column in range(1, bits.shape[1]):
        total += bits[:, column]
    return total


def _take_best(
    best: NDArray[np.uint16], owner: Indices, rows: Indices, owners: Indices, distance: NDArray[np.uint16]
) -> None:
    """Record the nearest owner of each row; the first of equally near ones."""
    order = np.lexsort((owners, distance, rows))
    rows, owners, distance = rows[order], owners[order], distance[order]
    first = np.flatnonzero(np.diff(rows, prepend=-1))
    rows, owners, distance = rows[first], owners[first], distance[first]
    nearer = (distance < best[rows]) | ((distance == best[rows]) & (owners < owner[rows]))
    best[rows[nearer]], owner[rows[nearer]] = distance[nearer], owners[nearer]


def _expanded(low: Indices, count: Indices, chunk: int) -> Iterator[tuple[Indices, Indices]]:
    """Yield pairs of each row with ``count`` positions from its ``low`` on, in chunks."""
    ends = np.cumsum(count)
    start = 0
    while start < len(count):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + chunk, "right")))
        rows = np.repeat(np.arange(start, stop), count[start:stop])
        if len(rows):
            offsets = np.arange(len(rows)) - (ends[rows] - count[rows] - before)
            yield rows, low[rows] + offsets
        start = stop


if hasattr(np, "bitwise_count"):

    def _count_bits(words: Words) -> NDArray[np.uint8]:
        counts: NDArray[np.uint8] = np.bitwise_count(words)
        return counts

else:  # numpy 1
    _BITS: Final = np.array([byte.bit_count() for byte in range(256)], dtype=np.uint8)

    def _count_bits(words: Words) -> NDArray[np.uint8]:
        counts: NDArray[np.uint8] = _BITS[words.view(np.uint8)].reshape(*words.shape, 8).sum(-1, np.uint8)
        return counts
