"""The result of people's votes: their ranking, and their agreement with each other and with the judge."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from cutline.judgment.games import Game
from cutline.judgment.results import PlayedGame, Ranking, rank
from cutline.judgment.votes import Votes, pairs_of_votes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How often two verdicts agree, of ``count`` pairs; ``decided``: of the pairs without ties."""

    same: int
    count: int
    decided_same: int
    decided: int

    @classmethod
    def of(cls, verdicts: Iterable[tuple[str, str]]) -> Agreement | None:
        """The agreement of pairs of winners (empty: a tie); None without pairs."""
        pairs = list(verdicts)
        if not pairs:
            return None
        decided = [(one, other) for one, other in pairs if one and other]
        return cls(
            same=sum(one == other for one, other in pairs),
            count=len(pairs),
            decided_same=sum(one == other for one, other in decided),
            decided=len(decided),
        )

    @property
    def share(self) -> float:
        return self.same / self.count

    @property
    def decided_share(self) -> float | None:
        return self.decided_same / self.decided if self.decided else None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """``among`` is the agreement of people on the same captions, ``with_judge`` that of votes with the judge.

    Both are None if there is nothing to compare.
    """

    ranking: Ranking
    voters: int
    votes: int
    among: Agreement | None
    with_judge: Agreement | None


def people_of(
    votes: Votes, names: Sequence[str], equal: Sequence[Game], played: Sequence[PlayedGame]
) -> People:
    """The result of votes; ``equal`` captions count as ties, as in the judge's games ``played``."""
    games = [PlayedGame(game=game, winner=vote.winner) for vote, game in votes.games]
    games += [PlayedGame(game=game, winner="tie", equal=True) for game in equal]
    ranking = rank(names, games)
    assert ranking is not None  # a file without votes was refused
    judged = winners(played)
    with_judge = (
        (game.winner_name(vote.winner), judged[game.picture, frozenset((game.first, game.second))])
        for vote, game in votes.games
        if (game.picture, frozenset((game.first, game.second))) in judged
    )
    return People(
        # Both orders of a pair are shown to different people: what the judge's figure means, `among` does.
        ranking=dataclasses.replace(ranking, agreement=None, both_orders=0),
        voters=votes.voters,
        votes=len(votes.votes),
        among=Agreement.of((one.better, other.better) for one, other in pairs_of_votes(votes.votes)),
        with_judge=Agreement.of(with_judge),
    )


def winners(played: Sequence[PlayedGame]) -> dict[tuple[str, frozenset[str]], str]:
    """The contestant that the judge prefers over both orders, by picture and pair; empty for a tie."""
    scores: dict[tuple[str, frozenset[str]], dict[str, int]] = {}
    for one in played:
        if one.winner is None or one.equal:
            continue
        score = scores.setdefault((one.game.picture, frozenset((one.game.first, one.game.second))), {})
        name = one.game.winner_name(one.winner)
        score[name] = score.get(name, 0) + bool(name)
    return {pair: _leader(score) for pair, score in scores.items()}


def _leader(score: dict[str, int]) -> str:
    most = max(score.values())
    leaders = [name for name, count in score.items() if count == most and name]
    return leaders[0] if len(leaders) == 1 else ""
