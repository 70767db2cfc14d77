"""The terms that tell a cluster's captions from all others."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Final

import numpy as np

from cutline.analysis.clusters import NONE, Labels
from cutline.analysis.terms import log_odds
from cutline.analysis.word_index import WordIndex

EACH: Final = 3
"""Terms of a cluster."""
_FEWEST: Final = 2  # occurrences
_CELLS: Final = 20_000_000  # counts at once


def telling_terms(index: WordIndex, labels: Labels, stop_words: AbstractSet[str]) -> list[list[str]]:
    """For each cluster up to ``EACH`` words that it has more often than the others, the surest first.

    ``labels``: of all rows of the index, 255 for none. By ``log_odds``; what is there once tells something
    only where nothing is there twice.
    """
    found = index.occurrences()
    count = int(labels[labels != NONE].max(initial=0)) + 1 if (labels != NONE).any() else 0
    size = len(found.terms)
    owners = labels[found.rows]
    numbers, owners = found.numbers[owners != NONE], owners[owners != NONE].astype(np.int64)
    total = np.bincount(numbers, minlength=size)
    names: list[list[str]] = []
    at_once = max(1, _CELLS // max(1, size))
    for first in range(0, count, at_once):
        last = min(count, first + at_once)
        inside = (owners >= first) & (owners < last)
        cells = (owners[inside] - first) * size + numbers[inside]
        for here in np.bincount(cells, minlength=(last - first) * size).reshape(last - first, size):
            scores = log_odds(here, total - here)
            order = np.flatnonzero(scores > 0)
            order = order[np.lexsort((-scores[order], here[order] < _FEWEST))]
            terms = (found.terms[number] for number in order.tolist())
            kept = (term for term in terms if term not in stop_words and len(term) > 1)
            names.append([term for term, _ in zip(kept, range(EACH), strict=False)])
    return names
