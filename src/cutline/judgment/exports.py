"""A judgment as JSON with everything, or as CSV with a row for each game or rating."""

from __future__ import annotations

import csv
import io

from cutline.judgment.bradley_terry import Interval
from cutline.judgment.judgment import Judgment
from cutline.judgment.people import Agreement, People
from cutline.judgment.results import PlayedGame, Ranking, win_share
from cutline.judgment.rubric import CRITERIA, Rating, Rubric
from cutline.records import JSON
from cutline.serialization import encode_json

COLUMNS = ("image_id", "first", "second", "verdict", "reason", "problem")
RATING_COLUMNS = ("image_id", "contestant", *CRITERIA, "reason", "problem")


def as_json(judgment: Judgment) -> bytes:
    data: JSON = {
        "judge": judgment.judge or None,
        **({} if judgment.ranking is None else ranking_json(judgment.ranking)),
        "rubric": None if judgment.rubric is None else _rubric(judgment.rubric),
        "people": None if judgment.people is None else _people(judgment.people),
        "without_caption": dict(judgment.missing),
        "captions_of_other_pictures": dict(judgment.outside),
        "notes": list(judgment.notes),
        "warnings": list(judgment.warnings),
        "cost_usd": judgment.cost,
        "games": [game_json(one) for one in judgment.played],
        "ratings": [_rating(one) for one in judgment.ratings],
    }
    return encode_json(data, indent=True) + b"\n"


def ranking_json(ranking: Ranking) -> JSON:
    place = ranking.place
    return {
        "contestants": [
            {
                "name": one.name,
                "strength": interval_json(one.strength),
                "preferred": _rounded(one.preferred),
                "wins": one.wins,
                "ties": one.ties,
                "losses": one.losses,
            }
            for one in ranking.standings
        ],
        "pairs": [
            {
                "first": one.first,
                "second": one.second,
                "wins": one.wins,
                "ties": one.ties,
                "losses": one.losses,
                "difference": interval_json(one.difference),
            }
            for one in ranking.pairs
        ],
        "place_advantage": None
        if place is None
        else {**interval_json(place), "first_preferred": _rounded(win_share(place.value))},
        "agreement_of_orders": _rounded(ranking.agreement),
        "pairs_in_both_orders": ranking.both_orders,
        "pictures": ranking.pictures,
        "games_played": ranking.games,
        "equal_captions": ranking.equal,
        "games_without_verdict": dict(ranking.unanswered),
    }


def as_csv(judgment: Judgment) -> bytes:
    buffer = io.StringIO()
    rated = bool(judgment.ratings)
    rows = csv.DictWriter(buffer, RATING_COLUMNS if rated else COLUMNS, extrasaction="ignore")
    rows.writeheader()
    rows.writerows(map(_rating, judgment.ratings) if rated else map(game_json, judgment.played))
    return buffer.getvalue().encode()


def interval_json(interval: Interval) -> JSON:
    return {
        "value": _rounded(interval.value),
        "low": _rounded(interval.low),
        "high": _rounded(interval.high),
    }


def game_json(one: PlayedGame) -> JSON:
    return {
        "image_id": one.game.picture,
        "first": one.game.first,
        "second": one.game.second,
        "verdict": one.winner,
        "reason": one.reason or ("equal captions" if one.equal else None),
        "problem": f"{one.kind}: {one.problem}" if one.kind else None,
    }


def _rating(one: Rating) -> JSON:
    return {
        "image_id": one.picture,
        "contestant": one.contestant,
        **{name: one.values.get(name) for name in CRITERIA},
        "reason": one.reason or None,
        "problem": f"{one.kind}: {one.problem}" if one.kind else None,
    }


def _rubric(rubric: Rubric) -> JSON:
    return {
        "contestants": [
            {
                "name": one.name,
                "captions": one.captions,
                **{name: interval_json(interval) for name, interval in one.criteria.items()},
                "overall": interval_json(one.overall),
            }
            for one in rubric.contestants
        ],
        "pairs": [
            {"first": first, "second": second, "difference": interval_json(difference)}
            for (first, second), difference in rubric.differences.items()
        ],
        "pictures": rubric.pictures,
        "captions_without_rating": dict(rubric.unanswered),
    }


def _people(people: People) -> JSON:
    """Their ranking; the figures that need both orders by one judge are left out."""
    ranking = ranking_json(people.ranking)
    for name in ("agreement_of_orders", "pairs_in_both_orders", "games_without_verdict"):
        del ranking[name]
    return {
        "voters": people.voters,
        "votes": people.votes,
        **ranking,
        "agreement_with_each_other": _agreement(people.among),
        "agreement_with_judge": _agreement(people.with_judge),
    }


def _agreement(agreement: Agreement | None) -> JSON | None:
    if agreement is None:
        return None
    return {
        "share": _rounded(agreement.share),
        "of": agreement.count,
        "without_ties": {"share": _rounded(agreement.decided_share), "of": agreement.decided},
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
