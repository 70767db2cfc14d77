"""Which vectors are most alike: neighbours, groups of near duplicates, and a sample of all kinds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from cutline.analysis.clusters import NONE, Labels
from cutline.analysis.projection import Matrix, Vectors

_BLOCK: Final = 8192  # vectors
_SMALL: Final = 512  # vectors that stay in the processor's cache
_MANTISSA: Final = 13  # bits that a float32 has more behind the point
_SIGN_AND_REST: Final = np.int32(-0x7000_2000)  # without what the sign was copied to
_SHIFTED: Final = np.float32(2.0**112)
_ROWS: Final = 1024  # vectors that are compared with the leaders of groups at once
_ROUNDED: Final = 2e-3  # of distances: vectors are stored in float16

Rows = npt.NDArray[np.int64]
Places = npt.NDArray[np.int32]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Similar:
    """Rows and their scores, cosines of what is alike; the first has the largest."""

    rows: Rows
    scores: npt.NDArray[np.float32]


def most_similar(matrix: Matrix, places: Places, vector: npt.NDArray[np.float32], limit: int) -> Similar:
    """The rows whose unit vectors have the largest cosines with ``vector``; equal ones in the order of rows.

    ``places``: of each row's vector in ``matrix``, -1 for none.
    """
    scores = _products(matrix, vector)
    rows = np.flatnonzero(places >= 0)
    found = scores[places[rows]]
    if len(rows) > limit > 0:
        least = np.partition(found, -limit)[-limit]
        rows, found = rows[found >= least], found[found >= least]
    order = np.argsort(-found, kind="stable")[:limit]
    return Similar(rows=rows[order], scores=found[order])


def _products(matrix: Matrix, vector: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Products of all rows with a vector, as in float32.

    The bits of a float16 in those of a float32 are the same number by a power of two smaller, which the
    vector makes good: NumPy's own conversion takes most of the time otherwise.
    """
    scores = np.empty(len(matrix), np.float32)
    is_half = matrix.dtype == np.float16
    factor = vector * _SHIFTED if is_half else vector
    for start in range(0, len(matrix), _SMALL):
        block = matrix[start : start + _SMALL]
        if is_half:
            bits = np.asarray(block).view(np.int16).astype(np.int32)
            bits <<= _MANTISSA
            bits &= _SIGN_AND_REST
            part = bits.view(np.float32)
        else:
            part = np.asarray(block, np.float32)
        np.dot(part, factor, out=scores[start : start + len(block)])
    return scores


def near_duplicates(
    reduced: Vectors,
    vectors: Callable[[Rows], Vectors],
    least: float,
    progress: Callable[[int], None] = lambda _: None,
) -> list[Rows]:
    """Groups of vectors whose cosine with the first of their group is ``least`` or more.

    Each is in the group of the first vector that is near and leads one: it is near that one itself, not
    only a neighbour's neighbour. ``reduced``: their principal components, by which most pairs are ruled
    out, as a projection brings points no farther apart. ``vectors``: some of the vectors themselves.
    ``progress`` is called with the number that are compared.
    """
    radius = (np.sqrt(max(0.0, 2 - 2 * least)) + _ROUNDED) ** 2
    squares = np.einsum("nd,nd->n", reduced, reduced)
    leader_of = np.full(len(reduced), -1, np.int64)
    leaders = np.empty(0, np.int64)
    for start in range(0, len(reduced), _ROWS):
        block = np.arange(start, min(start + _ROWS, len(reduced)))
        for first in range(0, len(leaders), _BLOCK):
            part = leaders[first : first + _BLOCK]
            products = reduced[block] @ reduced[part].T
            products -= squares[part] / 2
            row, leader = np.nonzero(products >= (squares[block][:, None] - radius) / 2)
            for at in range(0, len(row), _BLOCK):
                a, b = block[row[at : at + _BLOCK]], part[leader[at : at + _BLOCK]]
                is_near = (_unit(vectors(a)) * _unit(vectors(b))).sum(axis=1) >= least
                is_near &= leader_of[a] < 0
                a, b = a[is_near][::-1], b[is_near][::-1]
                leader_of[a] = b  # of several the last one stands here, which is the first leader
            block = block[leader_of[block] < 0]
        unit = _unit(vectors(block))
        is_near = unit @ unit.T >= least
        for place, one in enumerate(block.tolist()):
            if leader_of[one] < 0:
                later = block[place:][is_near[place, place:] & (leader_of[block[place:]] < 0)]
                leader_of[later] = one
                leader_of[one] = one
        leaders = np.concatenate([leaders, block[leader_of[block] == block]])
        progress(min(start + _ROWS, len(reduced)))
    order = np.argsort(leader_of, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(leader_of[order])) + 1)
    return [group for group in groups if len(group) > 1]


def _unit(vectors: Vectors) -> Vectors:
    unit: Vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.float32(1e-9))
    return unit


def outliers(labels: Labels, distances: npt.NDArray[np.float32], limit: int) -> Similar:
    """At most ``limit`` rows that are farther than usual from the middle of their cluster, the first most.

    Their scores are in terms of the cluster's usual distance, its median; all are above 1.
    """
    rows = np.flatnonzero(labels != NONE)
    usual = np.full(NONE + 1, np.inf)
    for number in np.unique(labels[rows]):
        usual[number] = max(float(np.median(distances[labels == number])), 1e-9)
    scores = distances[rows] / usual[labels[rows]]
    order = np.argsort(-scores, kind="stable")[:limit]
    order = order[scores[order] > 1]
    return Similar(rows=rows[order], scores=scores[order].astype(np.float32))


def balanced_sample(labels: Labels, count: int, seed: int = 0, rows: Rows | None = None) -> Rows:
    """``count`` rows, or all if there are fewer, with as many of each cluster as can be; in order of rows.

    ``rows``: only of these.
    """
    rng = np.random.default_rng(seed)
    among = np.flatnonzero(labels != NONE) if rows is None else rows[labels[rows] != NONE]
    clusters: Sequence[Rows] = [
        rng.permutation(among[labels[among] == number]) for number in np.unique(labels[among])
    ]
    wanted, chosen = min(count, len(among)), 0
    shares = np.zeros(len(clusters), np.int64)
    sizes = np.array([len(cluster) for cluster in clusters], np.int64)
    while chosen < wanted:
        is_open = np.flatnonzero(sizes > shares)
        each = max(1, (wanted - chosen) // len(is_open))
        for cluster in is_open[: max(1, wanted - chosen)]:
            more = min(each, int(sizes[cluster] - shares[cluster]), wanted - chosen)
            shares[cluster] += more
            chosen += more
    parts = [cluster[:share] for cluster, share in zip(clusters, shares, strict=True)]
    return np.sort(np.concatenate([np.empty(0, np.int64), *parts]))
