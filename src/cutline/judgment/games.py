"""The games of a contest: every pair of captions of a picture, each once in either order."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

import orjson

from cutline.interfaces import Source
from cutline.judgment.contest import Contest
from cutline.records import Sample

Winner: TypeAlias = Literal["first", "second", "tie"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Game:
    """Two captions of one picture in the order shown; ``first`` and ``second`` are contestants."""

    picture: str
    first: str
    second: str

    @property
    def key(self) -> str:
        """Unique and stable: adding a contestant changes no key."""
        return orjson.dumps([self.picture, self.first, self.second]).decode()

    @property
    def reversed(self) -> Game:
        return Game(picture=self.picture, first=self.second, second=self.first)

    def winner_name(self, winner: Winner) -> str:
        """The contestant that won; empty for a tie."""
        return "" if winner == "tie" else self.first if winner == "first" else self.second


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The ``games`` to play, and the ``equal`` pairs that need no request, each in one order."""

    games: Sequence[Game]
    equal: Sequence[Game]


def schedule(contest: Contest) -> Schedule:
    """Every pair of contestants with a caption, for each picture."""
    games: list[Game] = []
    equal: list[Game] = []
    for key in contest.samples:
        shown = [one for one in contest.contestants if key in one.captions]
        for one, other in itertools.combinations(shown, 2):
            game = Game(picture=key, first=one.name, second=other.name)
            if one.captions[key] == other.captions[key]:
                equal.append(game)
            else:
                games += [game, game.reversed]
    return Schedule(games=games, equal=equal)


class GameSource(Source):
    """The games as samples: a picture with its captions as variables of the prompt."""

    def __init__(self, contest: Contest, games: Sequence[Game]) -> None:
        self._contest, self._games = contest, games

    def samples(self) -> Iterator[Sample]:
        captions = {one.name: one.captions for one in self._contest.contestants}
        for game in self._games:
            texts = {side: captions[getattr(game, side)][game.picture] for side in ("first", "second")}
            yield shown_sample(self._contest.samples[game.picture], game.picture, game.key, texts)

    def count(self) -> int:
        return len(self._games)

    @property
    def has_repeats(self) -> bool:
        return True  # two contestants may have the same caption


def shown_sample(sample: Sample, picture: str, key: str, texts: dict[str, str]) -> Sample:
    """A sample of a picture with captions as variables, and a ``mark`` that none of them can contain.

    The mark is a digest of the captions, and no text can contain its own digest.
    """
    digest = hashlib.blake2b(orjson.dumps(list(texts.values())), digest_size=8).hexdigest()
    return dataclasses.replace(
        sample, key=key, origin=picture, text=None, text_problem="", metadata={**texts, "mark": digest}
    )
