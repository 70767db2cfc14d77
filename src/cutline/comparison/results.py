"""Results of a comparison: the pictures, and each candidate's answers and figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from cutline.comparison.statistics import Figures
from cutline.engine.recorded_captions import Answer
from cutline.imaging.thumbnails import Thumbnail
from cutline.judgment.judgment import Judgment

MISSING = Answer(problem="not captioned")
"""Stands where a candidate has neither a caption nor a failure: it skipped the picture, or was stopped."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CandidateResult:
    """A candidate with its answers by picture; ``stopped`` is the reason why some may be missing.

    ``scores`` are the metrics by picture, each as ``{metric: value}``.
    """

    name: str
    model: str
    prompt: str
    answers: Mapping[str, Answer]
    figures: Figures
    scores: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)
    stopped: str = ""

    def answer(self, key: str) -> Answer:
        return self.answers.get(key, MISSING)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ComparedPicture:
    """One picture; ``problem`` is the reason why there is no thumbnail."""

    key: str
    thumbnail: Thumbnail | None = None
    problem: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """``pictures`` in the order of the input, which has ``total`` of them, None if they were not counted.

    ``metrics`` describes each metric among the scores. ``judgment`` is there where a model judged.
    """

    input: str
    total: int | None
    candidates: Sequence[CandidateResult]
    pictures: Sequence[ComparedPicture]
    metrics: Mapping[str, str] = dataclasses.field(default_factory=dict)
    judgment: Judgment | None = None
