"""The table of the terms of a selection, and which of them it has more often than the rest."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from cutline.analysis.word_index import Mask, WordIndex

SURE: Final = 2.0
"""Scores beyond it, in both directions, are hardly by accident."""

Order = Literal["occurrences", "pictures", "score", "term"]
ORDERS: Final[tuple[Order, ...]] = get_args(Order)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One row of the table.

    ``occurrences`` and ``pictures`` are counts in the selection; ``share`` is the part of the selected
    captions (those with any words) that have the term, and ``rest`` the part of the others. ``score`` is a
    z-score: above 2 the selection has the term more often than the rest, below -2 less often.
    """

    term: str
    occurrences: int
    pictures: int
    share: float
    rest: float
    score: float


COLUMNS: Final = tuple(field.name for field in dataclasses.fields(Term))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TermOptions:
    """``words`` of a term: 1, or 2 and 3 for phrases. Terms of fewer than ``least`` pictures are left out."""

    words: int = 1
    stop_words: AbstractSet[str] = frozenset()
    least: int = 1
    order: Order = "occurrences"


def term_table(
    index: WordIndex, selection: Mask | None, rest: Mask | None = None, options: TermOptions = TermOptions()
) -> list[Term]:
    """The terms of the selected rows, or of all for None; ``rest`` is by default all other rows.

    Terms that stop words begin or end are left out. The score is the log-odds ratio with an informative
    Dirichlet prior of Monroe, Colaresi and Quinn (2008), "Fightin' Words", Political Analysis 16(4),
    equations 16 to 22; the prior has the frequencies of both parts together, and the weight of the smaller
    part. It is 0 where there is no rest.
    """
    found = index.occurrences(options.words)
    here, here_pictures = found.count(selection)
    if rest is None:
        there, there_pictures = found.without((here, here_pictures))
        rest = None if selection is None else ~selection
    else:
        there, there_pictures = found.count(rest)
    scores = log_odds(here, there)
    rows = int(index.filled.sum() if selection is None else index.filled[selection].sum())
    others = 0 if rest is None else int(index.filled[rest].sum())
    seen = here_pictures >= max(1, options.least)
    if options.order == "score":  # what the rest alone has, where that is no accident
        seen |= (there_pictures >= max(1, options.least)) & (scores < -SURE)
    numbers = np.flatnonzero(seen)
    terms = [
        Term(
            term=found.terms[number],
            occurrences=int(here[number]),
            pictures=int(here_pictures[number]),
            share=float(here_pictures[number]) / rows if rows else 0.0,
            rest=float(there_pictures[number]) / others if others else 0.0,
            score=float(scores[number]),
        )
        for number in _ordered(numbers, here, here_pictures, scores, options.order)
        if not _is_stopped(found.terms[number], options.stop_words)
    ]
    return sorted(terms, key=lambda term: term.term) if options.order == "term" else terms


def term_table_csv(terms: Iterable[Term]) -> str:
    """The table as CSV, with a line of ``COLUMNS``; shares and scores have six and three digits."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for term in terms:
        numbers = (f"{term.share:.6f}", f"{term.rest:.6f}", f"{term.score:.3f}")
        writer.writerow((term.term, term.occurrences, term.pictures, *numbers))
    return file.getvalue()


def log_odds(
    here: npt.NDArray[np.int64], there: npt.NDArray[np.int64], sizes: tuple[int, int] | None = None
) -> npt.NDArray[np.float64]:
    """z-scores of the terms' log-odds in ``here`` against ``there``, counts of occurrences.

    ``sizes``: the sums of both, where these are the counts of some terms only.
    """
    size, other = sizes or (int(here.sum()), int(there.sum()))
    scores = np.zeros(len(here))
    both = here + there
    used = both > 0
    if not size or not other or (sizes is None and used.sum() < 2):  # of one term there is nothing else
        return scores
    prior = both[used] * (min(size, other) / (size + other))
    weight = min(size, other)  # the sum of the prior of all terms
    with_prior, without = here[used] + prior, there[used] + prior
    ratio = np.log(with_prior / (size + weight - with_prior)) - np.log(without / (other + weight - without))
    scores[used] = ratio / np.sqrt(1 / with_prior + 1 / without)
    return scores


def _ordered(
    numbers: npt.NDArray[np.int64],
    here: npt.NDArray[np.int64],
    pictures: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float64],
    order: Order,
) -> list[int]:
    by = {"pictures": pictures, "score": scores}.get(order, here)
    return [int(number) for number in numbers[np.argsort(-by[numbers], kind="stable")]]


def _is_stopped(term: str, stop_words: AbstractSet[str]) -> bool:
    first, _, rest = term.partition(" ")
    return first in stop_words or rest.rpartition(" ")[2] in stop_words
