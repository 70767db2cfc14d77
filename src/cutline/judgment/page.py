"""A judgment as one self-contained HTML file without scripts."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from cutline.formatting import plural
from cutline.imaging.thumbnails import Thumbnail
from cutline.judgment.contest import Contest
from cutline.judgment.judgment import Judgment
from cutline.judgment.results import PlayedGame, Ranking
from cutline.judgment.rubric import Rating
from cutline.judgment.summary import (
    MEANINGS,
    RUBRIC_MEANINGS,
    left_out,
    limits,
    lines,
    people_lines,
    rubric_lines,
    wins,
)
from cutline.web.html import render, style


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Places strengths between ``low`` and ``high`` on a line."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """The position in percent."""
        return round(min(100.0, max(0.0, 100 * (value - self.low) / (self.high - self.low))), 2)

    @classmethod
    def of(cls, ranking: Ranking) -> Scale:
        ends = [0.5]
        for one in ranking.standings:
            ends += [abs(end) for end in (one.strength.value, one.strength.low, one.strength.high) if end]
        most = 1.08 * max(ends)
        return cls(low=-most, high=most)


def as_html(
    judgment: Judgment,
    contest: Contest,
    thumbnails: Mapping[str, Thumbnail | str],
    *,
    total: int,
    made: dt.datetime,
) -> str:
    """The whole page, with the captions and verdicts of the pictures with thumbnails, out of ``total``."""
    ranking = judgment.ranking
    by_picture: dict[str, list[PlayedGame]] = {}
    for one in judgment.played:
        by_picture.setdefault(one.game.picture, []).append(one)
    ratings: dict[str, list[Rating]] = {}
    for rating in judgment.ratings:
        ratings.setdefault(rating.picture, []).append(rating)
    judge = f" by {judgment.judge}" if judgment.judge else " by people"
    names, people = contest.names, judgment.people
    return render(
        "judgment.html",
        title=f"{plural(len(names), 'captioner')} judged{judge}, {plural(total, 'picture')}",
        style=style("comparison.css", "judgment.css"),
        made=made,
        total=total,
        warnings=judgment.warnings,
        notes=[*left_out(judgment), *judgment.notes],
        ranking=ranking,
        scale=Scale(low=-1, high=1) if ranking is None else Scale.of(ranking),
        wins=wins,
        limits=limits,
        lines=[] if ranking is None else lines(ranking),
        people=people,
        people_scale=None if people is None else Scale.of(people.ranking),
        people_lines=[] if people is None else people_lines(people),
        rubric=judgment.rubric,
        rubric_lines=[] if judgment.rubric is None else rubric_lines(judgment.rubric),
        meanings=(RUBRIC_MEANINGS if judgment.rubric is not None else MEANINGS).items(),
        colors={name: place % 8 for place, name in enumerate(names)},
        pictures=[
            _picture(key, contest, by_picture.get(key, []), ratings.get(key, []), found)
            for key, found in thumbnails.items()
        ],
    )


def _picture(
    key: str,
    contest: Contest,
    played: Sequence[PlayedGame],
    ratings: Sequence[Rating],
    found: Thumbnail | str,
) -> dict[str, Any]:
    rated = {one.contestant: one for one in ratings}
    return {
        "key": key,
        "thumbnail": found if isinstance(found, Thumbnail) else None,
        "problem": found if isinstance(found, str) else "",
        "captions": [
            {"name": one.name, "text": one.captions[key], "rating": _rating(rated.get(one.name))}
            for one in contest.contestants
            if key in one.captions
        ],
        "verdicts": _verdicts(played),
    }


def _rating(rating: Rating | None) -> dict[str, str]:
    """The ratings of a caption in a line, and the reason."""
    if rating is None:
        return {}
    if rating.kind:
        return {"text": f"not rated ({rating.kind}: {rating.problem})", "reason": ""}
    return {
        "text": " · ".join(f"{name} {value}" for name, value in rating.values.items()),
        "reason": rating.reason,
    }


def _verdicts(played: Sequence[PlayedGame]) -> list[dict[str, Any]]:
    """A line for each pair of captions, with the reasons of both orders."""
    pairs: dict[frozenset[str], list[PlayedGame]] = {}
    for one in played:
        pairs.setdefault(frozenset((one.game.first, one.game.second)), []).append(one)
    return [
        {
            "text": verdict_text(games),
            "reasons": list(dict.fromkeys(one.reason for one in games if one.reason)),
        }
        for games in pairs.values()
    ]


def verdict_text(games: Sequence[PlayedGame]) -> str:
    """The result of both orders of a pair, such as ``a over b, in both orders``."""
    first, second = games[0].game.first, games[0].game.second
    if games[0].equal:
        return f"{first} and {second} are equal"
    winners = [one.winner and one.game.winner_name(one.winner) for one in games]
    missing = next((f"{one.kind}: {one.problem}" for one in games if one.winner is None), "")
    given = [winner for winner in winners if winner is not None]
    named = [winner for winner in dict.fromkeys(given) if winner]
    if not given:
        return f"{first} or {second}: no verdict ({missing})"
    if len(named) > 1:
        return f"{first} or {second}: each once, by their places"
    if not named:
        text = f"{first} and {second}: tie"
    else:
        text = f"{named[0]} over {second if named[0] == first else first}"
        text += ", a tie in the other order" if "" in given else ""
    if missing:
        return f"{text}, in one order; in the other no verdict ({missing})"
    return f"{text}, in both orders" if len(given) > 1 and "" not in given else text
