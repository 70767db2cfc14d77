"""Captions that differ by a word, by the order of their words, or by signs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cutline.analysis.findings import Finding
from cutline.analysis.word_index import Occurrences, WordIndex

_FEWEST: Final = 5  # words that the captions of a group share
_SEED: Final = 20_260_117

Hashes = npt.NDArray[np.uint64]


def near_captions(captions: pa.ChunkedArray, index: WordIndex) -> Iterator[Finding]:
    """Groups of captions with the same words but for one, the largest first; no caption is in two of them.

    Captions that are equal in all, which are those of the check ``same``, are one caption here.
    """
    found = index.occurrences(1)
    texts = captions.combine_chunks()
    codes = np.asarray(texts.dictionary_encode().indices.fill_null(-1))
    for rows in _groups(found, index.rows):
        if len(set(codes[rows].tolist())) < 2:
            continue
        shared = _shared_terms(found, rows)
        first = texts[int(rows[0])].as_py().strip()
        yield Finding(
            check="near",
            text=first,
            count=len(rows),
            message=f"is nearly the caption of {len(rows):,} pictures",
            query=f'all:"{",".join(shared)}"',
            rows=tuple(rows.tolist()),
        )


def _groups(found: Occurrences, rows: int) -> Iterator[npt.NDArray[np.int64]]:
    """Rows whose sets of words are equal, or become so where each loses a word."""
    values = np.random.default_rng(_SEED).integers(0, 2**64, len(found.terms), np.uint64)
    hashes, sizes = np.zeros(rows, np.uint64), np.bincount(found.pair_rows, minlength=rows)
    np.add.at(hashes, found.pair_rows, values[found.pair_numbers])
    long = sizes[found.pair_rows] > _FEWEST
    pair_rows, pair_numbers = found.pair_rows[long], found.pair_numbers[long]
    whole = np.flatnonzero(sizes >= _FEWEST)
    keys = np.concatenate([hashes[whole], hashes[pair_rows] - values[pair_numbers]])
    places = np.concatenate([whole, pair_rows.astype(np.int64)])
    order = np.argsort(keys, kind="stable")
    keys, places = keys[order], places[order]
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])) if len(keys) else keys[:0]
    lengths = np.diff(np.append(starts, len(keys)))
    taken = np.zeros(rows, bool)
    several = np.flatnonzero(lengths > 1)
    for number in several[np.argsort(-lengths[several], kind="stable")].tolist():
        start = int(starts[number])
        members = np.unique(places[start : start + int(lengths[number])])
        members = members[~taken[members]]
        if len(members) > 1:
            taken[members] = True
            yield members


def _shared_terms(found: Occurrences, rows: npt.NDArray[np.int64]) -> list[str]:
    counts = np.zeros(len(found.terms), np.int64)
    for row in rows.tolist():
        start, end = np.searchsorted(found.pair_rows, [row, row + 1])
        counts[found.pair_numbers[start:end]] += 1
    return sorted(found.terms[number] for number in np.flatnonzero(counts == len(rows)).tolist())
