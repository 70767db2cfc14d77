"""Strengths of contestants from games won and lost, with intervals.

Bradley and Terry, "Rank analysis of incomplete block designs", Biometrika 39 (1952); the term for the place
is that of Davidson and Beaver, "On extending the Bradley-Terry model to incorporate within-pair order
effects", Biometrics 33 (1977). A tie is half a win. The intervals resample pictures, not games: games about
one picture resemble each other, and counting them as independent makes intervals too narrow.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RESAMPLINGS = 1000
PENALTY = 0.01
"""L2 penalty; keeps the strengths of contestants that win, or lose, every game finite."""
_MAX_STEP, _MAX_STEPS, _PRECISION = 3.0, 100, 1e-10
_ROUNDING = 1e-6  # of an interval whose limits are zero
_CELLS = 4_000_000  # numbers in one array of resampled weights


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate with its 95 % interval; the limits are None with one picture, and without a game."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval excludes zero."""
        if self.low is None or self.high is None:
            return False
        return self.low > _ROUNDING or self.high < -_ROUNDING


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """The result of a game about a ``picture``: 1 if the contestant ``first`` won, 0.5 for a tie, else 0.

    ``placed``: the first one was shown first; otherwise the game had no order, as that of two equal captions.
    """

    picture: int
    first: int
    second: int
    points: float
    placed: bool = True


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Strengths:
    """Log-odds: a contestant with 1 more than another wins 73 % of their games, apart from the order.

    ``strengths`` have the mean 0; ``differences`` are by pairs of contestants. ``place`` is the advantage of
    being shown first, None if no game had an order.
    """

    strengths: Sequence[Interval]
    differences: dict[tuple[int, int], Interval]
    place: Interval | None


def fit(games: Floats, points: Floats, design: Floats, penalty: float = PENALTY) -> Floats:
    """The most likely parameters, by Newton's method; one row for each row of ``games`` and ``points``.

    ``games`` counts the games of each kind, ``points`` those won; ``design`` has a row for each kind: the
    weights of the parameters in the log-odds that the first contestant wins.
    """
    found = np.zeros((len(games), design.shape[1]))
    squares = (design[:, :, None] * design[:, None, :]).reshape(len(design), -1)
    ridge = 2 * penalty * np.eye(design.shape[1])
    for _ in range(_MAX_STEPS):
        odds = np.clip(found @ design.T, -500, 500)
        won = 1 / (1 + np.exp(-odds))
        gradient = (points - games * won) @ design - 2 * penalty * found
        curvature = ((games * won * (1 - won)) @ squares).reshape(-1, *ridge.shape) + ridge
        step = np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0]
        largest = np.abs(step).max(axis=1, keepdims=True)
        found += step * np.minimum(1, _MAX_STEP / np.maximum(largest, _MAX_STEP))
        if largest.max() < _PRECISION:
            break
    return found


def strengths(
    results: Iterable[Points], contestants: int, *, resamplings: int = RESAMPLINGS, seed: int = 0
) -> Strengths:
    """The strengths and the advantage of the first place, from at least one game."""
    kinds, games, points = _by_picture(results)
    has_places = any(placed for _, _, placed in kinds)
    design = _design(kinds, contestants, has_places=has_places)
    best = fit(games.sum(axis=0)[None], points.sum(axis=0)[None], design)[0]
    drawn = _resampled(games, points, design, resamplings, np.random.default_rng(seed))
    pairs = list(itertools.combinations(range(contestants), 2))
    idle = set(range(contestants)) - {one for first, second, _ in kinds for one in (first, second)}
    none = drawn[:0, 0]  # of one without a game nothing is known
    return Strengths(
        strengths=[
            _interval(best[one], none if one in idle else drawn[:, one]) for one in range(contestants)
        ],
        differences={
            (one, other): _interval(
                best[one] - best[other], none if {one, other} & idle else drawn[:, one] - drawn[:, other]
            )
            for one, other in pairs
        },
        place=_interval(best[-1], drawn[:, -1]) if has_places else None,
    )


def _by_picture(results: Iterable[Points]) -> tuple[list[tuple[int, int, bool]], Floats, Floats]:
    """The kinds of games in order, and their numbers and points per picture."""
    results = list(results)
    kinds = sorted({(one.first, one.second, one.placed) for one in results})
    columns = {kind: place for place, kind in enumerate(kinds)}
    rows: dict[int, int] = {}
    cells: list[tuple[int, int, float]] = []
    for one in results:
        row = rows.setdefault(one.picture, len(rows))
        cells.append((row, columns[one.first, one.second, one.placed], one.points))
    games, points = np.zeros((len(rows), len(kinds))), np.zeros((len(rows), len(kinds)))
    where = np.array([cell[:2] for cell in cells], dtype=np.intp).reshape(-1, 2)
    np.add.at(games, (where[:, 0], where[:, 1]), 1)
    np.add.at(points, (where[:, 0], where[:, 1]), [cell[2] for cell in cells])
    return kinds, games, points


def _design(kinds: Sequence[tuple[int, int, bool]], contestants: int, *, has_places: bool) -> Floats:
    design = np.zeros((len(kinds), contestants + has_places))
    for row, (first, second, placed) in enumerate(kinds):
        design[row, first], design[row, second] = 1, -1
        if has_places:
            design[row, -1] = placed
    return design


def _resampled(
    games: Floats, points: Floats, design: Floats, count: int, random: np.random.Generator
) -> Floats:
    """Parameters of ``count`` contests with pictures resampled from these (bootstrap).

    A picture on which all contestants tie is added, so that a contestant that won every game keeps an
    interval. Pictures with equal results are drawn together, which is equivalent and faster.
    """
    if len(games) < 2:
        return np.zeros((0, design.shape[1]))
    games = np.vstack([games, np.ceil(games.mean(axis=0))])
    points = np.vstack([points, games[-1] / 2])
    both, numbers = np.unique(np.hstack([games, points]), axis=0, return_counts=True)
    games, points = np.hsplit(both, 2)
    pictures = int(numbers.sum())
    at_once = max(1, _CELLS // max(len(both), design.size * design.shape[1]))
    found = []
    for start in range(0, count, at_once):
        weights = random.multinomial(pictures, numbers / pictures, size=min(at_once, count - start))
        found.append(fit(weights @ games, weights @ points, design))
    return np.concatenate(found)


def _interval(value: float, drawn: Floats) -> Interval:
    if not len(drawn):
        return Interval(value=float(value))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(value=float(value), low=float(low), high=float(high))
