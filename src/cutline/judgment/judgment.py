"""What judging a contest comes to, by a model and by people."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from cutline.judgment.people import People
from cutline.judgment.results import PlayedGame, Ranking


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Judgment:
    """The ``ranking`` of a contest by a ``judge``, None where no game has a verdict, and all games.

    ``people`` is the result of their votes. ``missing`` counts the pictures without a caption by contestant.
    ``stopped`` is the reason why the games are not all played; ``cost`` in US dollars, None without a known
    price. ``output`` is where the result was written, ``ballot`` the number of games on the page for people.
    """

    judge: str = ""
    ranking: Ranking | None = None
    played: Sequence[PlayedGame] = ()
    people: People | None = None
    warnings: tuple[str, ...] = ()
    missing: Mapping[str, int] = dataclasses.field(default_factory=dict)
    exit_code: int = 0
    stopped: str = ""
    cost: float | None = None
    tokens: int = 0
    output: str = ""
    ballot: int = 0
