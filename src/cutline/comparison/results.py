"""What a comparison comes to: the pictures, and each contestant's answers and figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from cutline.comparison.captions import Answer
from cutline.comparison.statistics import Figures
from cutline.imaging.thumbnails import Thumbnail

MISSING = Answer(problem="not captioned")
"""Stands where a contestant has neither a caption nor a failure: it skipped the picture, or was stopped."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """A contestant with its answers by picture; ``stopped`` says why some may be missing.

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
class Shown:
    """One picture; ``problem`` says why there is no thumbnail."""

    key: str
    thumbnail: Thumbnail | None = None
    problem: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """``pictures`` in the order of the input, of which there are ``total``, None where nobody counted.

    ``metrics`` says what each metric among the scores means.
    """

    input: str
    total: int | None
    entrants: Sequence[Entrant]
    pictures: Sequence[Shown]
    metrics: Mapping[str, str] = dataclasses.field(default_factory=dict)
