"""Results of judging: strengths, wins, the advantage of being shown first, and warnings."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from cutline.formatting import most_common, plural
from cutline.judgment.bradley_terry import Interval, Points, strengths
from cutline.judgment.games import Game, Winner

MIN_AGREEMENT: Final = 0.6
MAX_UNANSWERED: Final = 0.2
FEW_PICTURES: Final = 20
_POINTS: Final[Mapping[Winner, float]] = {"first": 1.0, "tie": 0.5, "second": 0.0}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlayedGame:
    """A game with its verdict; without one, ``winner`` is None, and ``kind`` and ``problem`` tell why.

    ``equal`` captions were not shown to the judge: they are a tie. ``model`` is the judge's name by its
    endpoint.
    """

    game: Game
    winner: Winner | None = None
    reason: str = ""
    kind: str = ""
    problem: str = ""
    equal: bool = False
    model: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RankedContestant:
    """A contestant's strength, and its pairs won, tied and lost over all pictures and opponents.

    ``preferred`` is the share of pairs won, ties half; None without any.
    """

    name: str
    strength: Interval
    wins: int
    ties: int
    losses: int

    @property
    def preferred(self) -> float | None:
        pairs = self.wins + self.ties + self.losses
        return (self.wins + self.ties / 2) / pairs if pairs else None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PairResult:
    """Two contestants: on how many pictures each was preferred, and the difference of their strengths."""

    first: str
    second: str
    wins: int
    ties: int
    losses: int
    difference: Interval


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """The result of the games of a judge, or of people.

    ``standings`` are sorted by strength. ``place`` is the advantage of being shown first, in log-odds.
    ``agreement`` is the share of ``both_orders``, pairs that have a verdict in either order, in which the
    same caption won; None without such pairs. ``unanswered`` counts the games without a verdict by kind,
    ``equal`` the pairs of equal captions.
    """

    standings: Sequence[RankedContestant]
    pairs: Sequence[PairResult]
    place: Interval | None
    agreement: float | None
    both_orders: int
    pictures: int
    games: int
    equal: int
    unanswered: collections.Counter[str]

    @property
    def advantage(self) -> float | None:
        """How often the first of two equally good captions is preferred."""
        return None if self.place is None else win_share(self.place.value)

    def warnings(self) -> list[str]:
        """Warnings about how far the numbers can be trusted."""
        found = []
        if self.agreement is not None and self.agreement < MIN_AGREEMENT:
            found.append(
                f"the judge named the same caption in both orders in {self.agreement:.0%} of "
                f"{plural(self.both_orders, 'pair')}: below {MIN_AGREEMENT:.0%} order and chance decide "
                "more than the captions; use another judge"
            )
        if (unanswered := self.unanswered.total()) > MAX_UNANSWERED * self.games:
            found.append(
                f"{unanswered:,} of {plural(self.games, 'game')} have no verdict "
                f"({most_common(self.unanswered)}): the numbers are of the others"
            )
        return [*found, *few_pictures(self.pictures)]


def few_pictures(pictures: int) -> list[str]:
    """A warning if there are too few pictures for reliable intervals."""
    if pictures >= FEW_PICTURES:
        return []
    trust = "there are no intervals" if pictures == 1 else "the intervals are rough"
    return [f"{plural(pictures, 'picture')} only: {trust}"]


def win_share(log_odds: float) -> float:
    """The share of games won at these log-odds."""
    return 1 / (1 + math.exp(-max(-500.0, min(500.0, log_odds))))


def rank(names: Sequence[str], played: Sequence[PlayedGame], *, seed: int = 0) -> Ranking | None:
    """The ranking by the games with a verdict; None without any."""
    places = {name: place for place, name in enumerate(names)}
    points = _points_of(played, places)
    if not points:
        return None
    found = strengths([*points, *(one for one in points if not one.placed)], len(names), seed=seed)
    pairs, agreement, both = _pairs(played)
    results = [
        PairResult(
            first=names[one],
            second=names[other],
            **_sums(pairs[names[one], names[other]]),
            difference=found.differences[one, other],
        )
        for one, other in itertools.combinations(range(len(names)), 2)
    ]
    standings = [
        RankedContestant(name=name, strength=found.strengths[place], **_sums(_of(name, names, pairs)))
        for name, place in places.items()
    ]
    return Ranking(
        standings=sorted(standings, key=lambda one: -one.strength.value),
        pairs=results,
        place=found.place,
        agreement=agreement / both if both else None,
        both_orders=both,
        pictures=len({one.picture for one in points}),
        games=sum(not one.equal for one in played),
        equal=sum(one.equal for one in played),
        unanswered=collections.Counter(one.kind for one in played if one.winner is None),
    )


def _points_of(played: Sequence[PlayedGame], places: Mapping[str, int]) -> list[Points]:
    """The games with a verdict; ``places`` are the contestants' numbers."""
    pictures = {key: number for number, key in enumerate(dict.fromkeys(one.game.picture for one in played))}
    return [
        Points(
            picture=pictures[one.game.picture],
            first=places[one.game.first],
            second=places[one.game.second],
            points=_POINTS[one.winner],
            placed=not one.equal,
        )
        for one in played
        if one.winner is not None
    ]


Outcomes = collections.Counter[str]


def _pairs(played: Iterable[PlayedGame]) -> tuple[Mapping[tuple[str, str], Outcomes], int, int]:
    """The outcomes by pair of contestants in either order, and in how many of the pairs both orders agree.

    A caption that won in one order and tied in the other has won the pair; with a win each it is a tie.
    """
    games: dict[tuple[str, str, str], list[PlayedGame]] = {}
    for one in played:
        low, high = sorted((one.game.first, one.game.second))
        games.setdefault((one.game.picture, low, high), []).append(one)
    outcomes: dict[tuple[str, str], Outcomes] = collections.defaultdict(collections.Counter)
    agreed = both = 0
    for (_, one_name, other_name), group in games.items():
        scores = [_score(game, one_name) for game in group]
        if any(score is None for score in scores):
            continue
        given = [score for score in scores if score is not None]
        total = sum(given)
        outcome = "wins" if total > 0 else "losses" if total < 0 else "ties"
        outcomes[one_name, other_name][outcome] += 1
        outcomes[other_name, one_name][{"wins": "losses", "losses": "wins"}.get(outcome, outcome)] += 1
        if len(given) > 1:
            both += 1
            agreed += len(set(given)) == 1
    return outcomes, agreed, both


def _score(one: PlayedGame, name: str) -> int | None:
    """1 if ``name`` won, -1 if it lost, 0 for a tie, None without a verdict."""
    if one.winner is None or one.winner == "tie":
        return None if one.winner is None else 0
    return 1 if one.game.winner_name(one.winner) == name else -1


def _of(name: str, names: Sequence[str], pairs: Mapping[tuple[str, str], Outcomes]) -> Outcomes:
    return sum((pairs[name, other] for other in names if other != name), collections.Counter())


def _sums(outcomes: Outcomes) -> dict[str, int]:
    return {name: outcomes[name] for name in ("wins", "ties", "losses")}


def self_judged(models: Mapping[str, frozenset[str]], judge: Iterable[str]) -> list[str]:
    """A warning for each contestant whose models include the judge, under any of its names."""
    own = {name for full in judge for name in (full.casefold(), full.partition(":")[2].casefold())} - {""}
    return [
        f"{name} is judged by its own model: models tend to prefer their own captions; use another judge"
        for name, used in models.items()
        if not own.isdisjoint(model.casefold() for model in used)
    ]
