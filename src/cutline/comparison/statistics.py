"""Figures of one candidate's answers, over the pictures that are compared."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Collection, Mapping
from statistics import fmean

from cutline.engine.recorded_captions import Answer
from cutline.judgment.bradley_terry import Interval
from cutline.judgment.exports import interval_json
from cutline.records import JSON, Usage
from cutline.text.differences import words

EXPORTED_ONLY = ("BLEU-1", "BLEU-2", "BLEU-3", "length")
"""Scores that tables leave out, beside BLEU-4 and the words of a caption."""

OPENER = 3
"""Words of an opener, as in "A picture of"."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """``words`` are the mean of a caption; ``vocabulary`` counts the different ones in all captions.

    ``opening`` is the share of captions whose first three words begin another one too, ``opener`` the
    commonest such words. ``cost`` is that of one picture in US dollars, failed requests included, None
    without a known price; ``seconds`` are those of the requests for one picture, ``pace`` the pictures
    a second of the whole run; both 0 if not measured. ``scores`` are the means of the metrics, ``marks``
    what to know of them, such as that lengths differ, and ``intervals`` the 95 % intervals of those against
    references, by draws of pictures. ``strength`` is
    that by the judge, in log-odds, None without one.
    """

    captions: int
    failures: int
    words: float
    vocabulary: int
    opening: float
    opener: str
    usage: Usage
    cost: float | None
    seconds: float
    pace: float
    scores: Mapping[str, float]
    marks: Mapping[str, str] = dataclasses.field(default_factory=dict)
    strength: Interval | None = None
    intervals: Mapping[str, tuple[float, float]] = dataclasses.field(default_factory=dict)

    def interval(self, name: str) -> str:
        """The interval of a score as text; empty where there is none."""
        limits = self.intervals.get(name)
        return "" if limits is None else f"{limits[0]:.3f} \N{HORIZONTAL ELLIPSIS} {limits[1]:.3f}"

    def to_json(self) -> JSON:
        return {
            "captions": self.captions,
            "failures": self.failures,
            "words_per_caption": round(self.words, 2),
            "vocabulary": self.vocabulary,
            "repeated_openers": round(self.opening, 4),
            "commonest_opener": self.opener or None,
            "prompt_tokens": self.usage.prompt_tokens,
            "completion_tokens": self.usage.completion_tokens,
            "cost_usd_per_picture": self.cost,
            "seconds_per_picture": round(self.seconds, 4) or None,
            "pictures_per_second": round(self.pace, 4) or None,
            **{name: round(value, 4) for name, value in self.scores.items()},
            **({"marks": dict(self.marks)} if self.marks else {}),
            **({"intervals": self._intervals_json()} if self.intervals else {}),
            **({} if self.strength is None else {"strength": interval_json(self.strength)}),
        }

    def _intervals_json(self) -> JSON:
        return {name: [round(limit, 4) for limit in limits] for name, limits in self.intervals.items()}


def compute_figures(
    answers: Collection[Answer],
    *,
    cost: float | None,
    pace: float,
    scores: Mapping[str, float],
    marks: Mapping[str, str],
    intervals: Mapping[str, tuple[float, float]],
) -> Figures:
    """The figures of one candidate's answers, the failed ones among them."""
    captions = [answer for answer in answers if not answer.problem]
    texts = [words(answer.text) for answer in captions]
    openers = collections.Counter(" ".join(text[:OPENER]) for text in texts if len(text) >= OPENER)
    repeated = {opener: count for opener, count in openers.items() if count > 1}
    return Figures(
        captions=len(captions),
        failures=len(answers) - len(captions),
        words=fmean([len(text) for text in texts] or [0]),
        vocabulary=len({word for text in texts for word in text}),
        opening=sum(repeated.values()) / len(captions) if captions else 0.0,
        opener=max(repeated, key=lambda opener: repeated[opener], default=""),
        usage=sum((answer.usage for answer in captions), Usage()),
        cost=cost,
        seconds=fmean([answer.seconds for answer in captions] or [0]),
        pace=pace,
        scores=scores,
        marks=marks,
        intervals=intervals,
    )
