"""Results of an evaluation: the figures, the scores of each picture, and problems of the files."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal

from cutline.captions import data_frame
from cutline.formatting import printable
from cutline.metrics.intervals import PairedTest
from cutline.records import JSON
from cutline.serialization import valid_unicode

if TYPE_CHECKING:
    from pandas import DataFrame

LENGTHS_DIFFER: Final = "lengths differ"
BY_NGRAMS: Final = ("BLEU", "CIDEr")
"""Prefixes of the scores that are unreliable if lengths differ."""
NAMED: Final = 3
_LONGEST: Final = 60
_SURE: Final = 0.05  # p below which one of two captioners is called better


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MetricScore:
    """The value of a metric over all pictures; None with the ``reason``.

    ``low`` and ``high`` are its 95 % interval, None where it has none. ``mark`` qualifies the value.
    ``other`` with its interval and mark, and ``difference`` are those of the captions it is compared with.
    ``higher_is_better`` is None if neither direction is.
    """

    value: float | None
    meaning: str = ""
    reason: str = ""
    low: float | None = None
    high: float | None = None
    mark: str = ""
    other: float | None = None
    other_low: float | None = None
    other_high: float | None = None
    other_mark: str = ""
    difference: PairedTest | None = None
    higher_is_better: bool | None = True

    @property
    def better(self) -> Literal["captions", "against"] | None:
        """Which captions are better, if significant."""
        test = self.difference
        if test is None or self.higher_is_better is None or test.is_equal or test.p >= _SURE:
            return None
        return "captions" if (test.difference > 0) == self.higher_is_better else "against"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationProblem:
    """A problem with several pictures: ``what``, their number, and the ids of the first ones.

    ``serious``: the result does not cover all given pictures.
    """

    what: str
    count: int
    first: Sequence[str] = ()
    serious: bool = True

    def __str__(self) -> str:
        names = ", ".join(printable(one)[:_LONGEST] for one in self.first[:NAMED])
        more = ", …" if self.count > len(self.first[:NAMED]) else ""
        return f"{self.what}: {self.count:,}{f' ({names}{more})' if names else ''}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PictureScores:
    """One picture's captions and scores, by metric; None where it has none."""

    image_id: str
    caption: str
    scores: Mapping[str, float | None]
    other_caption: str | None = None
    other_scores: Mapping[str, float | None] = dataclasses.field(default_factory=dict)

    def row(self) -> JSON:
        """Caption and scores by the names of columns."""
        row: JSON = {
            "image_id": valid_unicode(self.image_id),
            "caption": valid_unicode(self.caption),
            **self.scores,
        }
        if self.other_caption is not None:
            row["caption against"] = valid_unicode(self.other_caption)
            row |= {f"{name} against": value for name, value in self.other_scores.items()}
        return row


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Captions measured: ``scores`` for all pictures by metric, ``pictures`` one by one.

    ``left_out`` are the metrics that were not computed, with the reason and the cure. ``notes`` describe the
    method, such as how ids were matched.
    """

    captions: str
    references: str | None
    against: str | None
    scores: Mapping[str, MetricScore]
    pictures: Sequence[PictureScores]
    problems: Sequence[EvaluationProblem] = ()
    left_out: Mapping[str, str] = dataclasses.field(default_factory=dict)
    notes: Sequence[str] = ()

    @property
    def is_complete(self) -> bool:
        """Whether every caption had references, and the other way around."""
        return not any(problem.serious for problem in self.problems)

    def to_pandas(self) -> DataFrame:
        """A pandas data frame with a row for each picture, its caption and scores.

        Raises:
            ConfigError: pandas is not installed.
        """
        return data_frame([picture.row() for picture in self.pictures])

    def to_json(self) -> JSON:
        """The figures, without the scores of single pictures."""
        scores = self.scores
        result: JSON = {
            "metrics": {name: score.value for name, score in scores.items()},
            "intervals": {
                name: [score.low, score.high] for name, score in scores.items() if score.low is not None
            },
            "reasons": {name: score.reason for name, score in scores.items() if score.reason},
            "marks": {name: score.mark for name, score in scores.items() if score.mark},
            "left_out": dict(self.left_out),
            "pictures": len(self.pictures),
            "captions": self.captions,
            "references": self.references,
            "problems": [
                {"what": one.what, "count": one.count, "first": list(one.first[:NAMED])}
                for one in self.problems
            ],
            "notes": list(self.notes),
        }
        if self.against is not None:
            result["against"] = {
                "captions": self.against,
                "metrics": {name: score.other for name, score in scores.items()},
                "intervals": {
                    name: [score.other_low, score.other_high]
                    for name, score in scores.items()
                    if score.other_low is not None
                },
                "marks": {name: score.other_mark for name, score in scores.items() if score.other_mark},
                "differences": {
                    name: {**dataclasses.asdict(score.difference), "better": score.better}
                    for name, score in scores.items()
                    if score.difference is not None
                },
            }
        return result
