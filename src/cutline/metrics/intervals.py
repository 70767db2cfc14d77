"""Intervals of corpus scores, and paired tests, by drawing pictures at random.

Whole pictures are drawn, with all their references, as captions of one picture are not independent. The
seed is fixed: the same input gives the same interval.

Source: Koehn, "Statistical Significance Tests for Machine Translation Evaluation", EMNLP 2004
(bootstrap); Riezler and Maxwell, "On Some Pitfalls in Automatic Evaluation and Significance Testing for
MT", 2005 (randomization).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from cutline.text.corpus import CorpusScore

if TYPE_CHECKING:
    import numpy as np

    _Draw: TypeAlias = Callable[[int], Iterator[np.ndarray]]

DRAWS: Final = 1000
SMALLEST: Final = 0.00005
"""Differences of scores below it are none: they are not printed, and come of rounding and smoothing."""
_SEED: Final = 20_150_401
_BLOCK: Final = 4_000_000  # numbers drawn at a time


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PairedTest:
    """How a score of the first captions differs from that of the second.

    ``difference`` is the score of the first less that of the second; ``low`` and ``high`` are the 95 %
    interval of ``difference``. ``p`` is the share of random exchanges of the two captions of pictures
    after which the difference is as large, or smaller by less than is printed.
    """

    difference: float
    low: float
    high: float
    p: float

    @property
    def is_equal(self) -> bool:
        """Whether there is no difference that is printed."""
        return abs(self.difference) < SMALLEST


def intervals(scores: Sequence[CorpusScore]) -> list[tuple[float, float] | None]:
    """The 95 % interval of each score for all; None where it has none."""
    import numpy as np

    drawn = [score for score in scores if score.drawn and score.value is not None]
    found: dict[int, tuple[float, float]] = {}
    if drawn and len(drawn[0].statistics) > 1:
        totals = _totals(drawn, [score.statistics for score in drawn], _bootstrap)
        for score, values in zip(drawn, totals, strict=True):
            low, high = np.nanpercentile(values, (2.5, 97.5))
            found[id(score)] = (float(low), float(high))
    return [found.get(id(score)) for score in scores]


def paired_tests(first: Sequence[CorpusScore], second: Sequence[CorpusScore]) -> list[PairedTest | None]:
    """A test for each score, both of the same metrics and pictures; None where there is none."""
    import numpy as np

    places = [
        place for place, (one, other) in enumerate(zip(first, second, strict=True)) if _has_test(one, other)
    ]
    result: list[PairedTest | None] = [None] * len(first)
    if not places:
        return result
    scores = [first[place] for place in places]
    ours, theirs = ([many[place].statistics for place in places] for many in (first, second))
    drawn = [
        one - other
        for one, other in zip(
            _totals(scores, ours, _bootstrap), _totals(scores, theirs, _bootstrap), strict=True
        )
    ]
    # With the signs of an exchange s: (sum of both ± sum of s times the difference) / 2.
    halves = [(one + other) / 2 for one, other in zip(ours, theirs, strict=True)]
    gaps = [(one - other) / 2 for one, other in zip(ours, theirs, strict=True)]
    middle = [half.sum(axis=0, keepdims=True) for half in halves]
    signed = _sums(gaps, _signs)
    for at, place in enumerate(places):
        score = scores[at]
        value, other_value = score.value, second[place].value
        assert value is not None and other_value is not None  # noqa: PT018 - of the places above
        difference = value - other_value
        exchanged = score.total(middle[at] + signed[at]) - score.total(middle[at] - signed[at])
        as_large = int(np.sum(np.abs(exchanged) >= abs(difference) - SMALLEST))
        low, high = np.nanpercentile(drawn[at], (2.5, 97.5))
        result[place] = PairedTest(
            difference=difference, low=float(low), high=float(high), p=(as_large + 1) / (DRAWS + 1)
        )
    return result


def _has_test(one: CorpusScore, other: CorpusScore) -> bool:
    return one.drawn and one.value is not None and other.value is not None and len(one.statistics) > 1


def _totals(scores: Sequence[CorpusScore], statistics: Sequence[np.ndarray], draw: _Draw) -> list[np.ndarray]:
    return [score.total(sums) for score, sums in zip(scores, _sums(statistics, draw), strict=True)]


def _sums(statistics: Sequence[np.ndarray], draw: _Draw) -> list[np.ndarray]:
    """The sums of each table's rows for all draws, weighted by what is drawn."""
    import numpy as np

    unique = {id(table): table for table in statistics}  # BLEU 1 to 4 share one
    widths = [table.shape[1] for table in unique.values()]
    together = np.concatenate(list(unique.values()), axis=1)
    sums = np.concatenate([weights @ together for weights in draw(len(together))])
    starts = np.cumsum([0, *widths])
    parts = {key: sums[:, starts[at] : starts[at + 1]] for at, key in enumerate(unique)}
    return [parts[id(table)] for table in statistics]


def _bootstrap(size: int) -> Iterator[np.ndarray]:
    """How often each picture is drawn, in blocks of draws."""
    import numpy as np

    random = np.random.default_rng(_SEED)
    for count in _blocks(size):
        drawn = random.integers(0, size, (count, size)) + np.arange(count)[:, None] * size
        yield np.bincount(drawn.ravel(), minlength=count * size).reshape(count, size).astype(float)


def _signs(size: int) -> Iterator[np.ndarray]:
    """1 or -1 for each picture, in blocks of draws."""
    import numpy as np

    random = np.random.default_rng(_SEED)
    for count in _blocks(size):
        yield 2.0 * random.integers(0, 2, (count, size)) - 1


def _blocks(size: int) -> Iterator[int]:
    block = max(1, min(DRAWS, _BLOCK // max(size, 1)))
    for start in range(0, DRAWS, block):
        yield min(block, DRAWS - start)
