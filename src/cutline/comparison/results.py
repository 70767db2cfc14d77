"""Results of a comparison: the pictures, and each candidate's answers and figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cutline.captions import data_frame
from cutline.comparison.statistics import Figures
from cutline.engine.recorded_captions import Answer
from cutline.imaging.thumbnails import Thumbnail
from cutline.judgment.judgment import Judgment
from cutline.records import JSON

if TYPE_CHECKING:
    from pandas import DataFrame

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

    def row(self, key: str) -> JSON:
        """The answer about a picture, and its scores, by the names of columns."""
        answer = self.answer(key)
        return {
            "caption": None if answer.problem else answer.text,
            "problem": answer.problem or None,
            "prompt_tokens": answer.usage.prompt_tokens,
            "completion_tokens": answer.usage.completion_tokens,
            "seconds": answer.seconds,
            "steps": [{"name": step.name, "model": step.model, "text": step.text} for step in answer.steps],
            **self.scores.get(key, {}),
        }


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

    def to_pandas(self) -> DataFrame:
        """A pandas data frame with a row for each picture and candidate, as in an output that ends in .csv.

        Raises:
            ConfigError: pandas is not installed.
        """
        return data_frame(
            [
                {"image_id": picture.key, "contestant": candidate.name, **candidate.row(picture.key)}
                for picture in self.pictures
                for candidate in self.candidates
            ]
        )
