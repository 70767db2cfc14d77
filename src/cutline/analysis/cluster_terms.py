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


def telling_terms(
    index: WordIndex, labels: Labels, stop_words: AbstractSet[str], each: int = EACH
) -> list[list[str]]:
    """For each cluster up to ``each`` words that it has more often than the others, the surest first.

    ``labels``: of all rows of the index, 255 for none. By ``log_odds``; what is there once tells something
    only where nothing is there twice.
    """
    found = index.occurrences()
    count = int(labels[labels != NONE].max(initial=0)) + 1 if (labels != NONE).any() else 0
    owners = labels[found.rows]
    order = np.argsort(owners, kind="stable")  # of bytes: in one pass
    numbers = found.numbers[order]
    ends = np.cumsum(np.bincount(owners, minlength=count))
    total = np.bincount(numbers[: ends[count - 1] if count else 0], minlength=len(found.terms))
    names: list[list[str]] = []
    for number in range(count):
        here = np.bincount(numbers[ends[number - 1] if number else 0 : ends[number]], minlength=len(total))
        terms = np.flatnonzero(here)  # what is not there tells nothing
        sizes = int(here.sum()), int(total.sum() - here.sum())
        here = here[terms]
        scores = log_odds(here, total[terms] - here, sizes) if np.count_nonzero(total) > 1 else np.zeros(0)
        order = np.flatnonzero(scores > 0)
        order = order[np.lexsort((-scores[order], here[order] < _FEWEST))]
        words = (found.terms[place] for place in terms[order].tolist())
        kept = (word for word in words if word not in stop_words and len(word) > 1)
        names.append([word for word, _ in zip(kept, range(each), strict=False)])
    return names
