"""Ratings of single captions: accuracy, coverage, invention and fluency, from 1 to 5."""

from __future__ import annotations

import collections
import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import orjson

from cutline.interfaces import Source
from cutline.judgment.bradley_terry import RESAMPLINGS, Floats, Interval
from cutline.judgment.contest import Contest
from cutline.judgment.games import shown_sample
from cutline.judgment.verdicts import JudgeReply
from cutline.records import Sample

PROMPT: Final = "judge-rubric"
CRITERIA: Final = ("accuracy", "coverage", "invention", "fluency")
_AT_ONCE: Final = 4_000_000  # weights of pictures


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """The ratings of a contestant's caption of a picture; without them, ``kind`` and ``problem`` tell why."""

    picture: str
    contestant: str
    values: Mapping[str, int] = dataclasses.field(default_factory=dict)
    reason: str = ""
    kind: str = ""
    problem: str = ""
    model: str = ""

    @property
    def key(self) -> str:
        return orjson.dumps([self.picture, self.contestant]).decode()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RatedContestant:
    """The mean ratings of ``captions`` captions by criterion, and ``overall`` that of the four."""

    name: str
    captions: int
    criteria: Mapping[str, Interval]
    overall: Interval


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rubric:
    """``contestants`` by their overall mean, the best first, and ``differences`` of it by pairs of names.

    The intervals resample pictures. ``unanswered`` counts the captions without ratings by kind.
    """

    contestants: Sequence[RatedContestant]
    differences: Mapping[tuple[str, str], Interval]
    pictures: int
    unanswered: collections.Counter[str]


class RubricSource(Source):
    """Every caption of a contest as a sample."""

    def __init__(self, contest: Contest) -> None:
        self._contest = contest
        self._captions = {one.name: one.captions for one in contest.contestants}

    def samples(self) -> Iterator[Sample]:
        for rating in unrated(self._contest):
            sample, text = (
                self._contest.samples[rating.picture],
                self._captions[rating.contestant][rating.picture],
            )
            yield shown_sample(sample, rating.picture, rating.key, {"caption": text})

    def count(self) -> int:
        return sum(1 for _ in unrated(self._contest))

    @property
    def has_repeats(self) -> bool:
        return True  # two contestants may have the same caption


def unrated(contest: Contest) -> Iterator[Rating]:
    """A rating without values for each caption."""
    for key, one in itertools.product(contest.samples, contest.contestants):
        if key in one.captions:
            yield Rating(picture=key, contestant=one.name)


def ratings_of(contest: Contest, replies: Mapping[str, JudgeReply]) -> list[Rating]:
    """The ratings in the replies, or the reason why one is missing."""
    found = []
    for rating in unrated(contest):
        reply = replies.get(rating.key, JudgeReply(kind="not rated", problem="the run was stopped before it"))
        if reply.kind:
            found.append(dataclasses.replace(rating, kind=reply.kind, problem=reply.problem))
            continue
        values = {name: int(str(reply.fields[name])) for name in CRITERIA}
        reason = str(reply.fields["reason"])
        found.append(dataclasses.replace(rating, values=values, reason=reason, model=reply.model))
    return found


def summarize(names: Sequence[str], ratings: Sequence[Rating], *, seed: int = 0) -> Rubric | None:
    """The means with their intervals; None where no caption was rated."""
    rated = [one for one in ratings if one.values]
    if not rated:
        return None
    pictures = {key: place for place, key in enumerate(sorted({one.picture for one in rated}))}
    columns = {name: place for place, name in enumerate(names)}
    values = np.full((len(pictures), len(names), len(CRITERIA) + 1), np.nan)
    for one in rated:
        row = [one.values[name] for name in CRITERIA]
        values[pictures[one.picture], columns[one.contestant]] = [*row, sum(row) / len(row)]
    means, drawn = _means(values, np.random.default_rng(seed))
    contestants = []
    for name, column in columns.items():
        if np.isnan(means[column]).any():
            continue
        every = [_interval(means[column, place], drawn[:, column, place]) for place in range(values.shape[2])]
        contestants.append(
            RatedContestant(
                name=name,
                captions=sum(one.contestant == name for one in rated),
                criteria=dict(zip(CRITERIA, every, strict=False)),
                overall=every[-1],
            )
        )
    contestants.sort(key=lambda one: -one.overall.value)
    return Rubric(
        contestants=contestants,
        differences={
            (one.name, other.name): _difference(values[:, [columns[one.name], columns[other.name]], -1], seed)
            for one, other in itertools.combinations(contestants, 2)
        },
        pictures=len(pictures),
        unanswered=collections.Counter(one.kind for one in ratings if one.kind),
    )


def _difference(values: Floats, seed: int) -> Interval:
    """The difference of two columns, over the rows that have both."""
    both = values[~np.isnan(values).any(axis=1)]
    if not len(both):
        return Interval(value=0.0)
    means, drawn = _means((both[:, :1] - both[:, 1:])[:, :, None], np.random.default_rng(seed))
    return _interval(means[0, 0], drawn[:, 0, 0])


def _means(values: Floats, random: np.random.Generator) -> tuple[Floats, Floats]:
    """The means over the first axis without missing values, and those of resampled pictures."""
    there = ~np.isnan(values)
    flat, weights = np.where(there, values, 0).reshape(len(values), -1), there.reshape(len(values), -1)
    with np.errstate(invalid="ignore"):
        means = (flat.sum(axis=0) / weights.sum(axis=0)).reshape(values.shape[1:])
        if len(values) < 2:
            return means, np.zeros((0, *values.shape[1:]))
        found = []
        at_once = max(1, _AT_ONCE // len(values))
        for start in range(0, RESAMPLINGS, at_once):
            size = min(at_once, RESAMPLINGS - start)
            drawn = random.multinomial(len(values), np.full(len(values), 1 / len(values)), size=size)
            found.append((drawn @ flat) / (drawn @ weights))
    return means, np.concatenate(found).reshape(-1, *values.shape[1:])


def _interval(value: float, drawn: Floats) -> Interval:
    known = drawn[~np.isnan(drawn)]
    if not len(known):
        return Interval(value=float(value))
    low, high = np.quantile(known, [0.025, 0.975])
    return Interval(value=float(value), low=float(low), high=float(high))
