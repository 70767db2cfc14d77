"""The figures of a ranking in words, for the terminal and the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cutline.formatting import most_common, plural
from cutline.judgment.bradley_terry import Interval
from cutline.judgment.judgment import Judgment
from cutline.judgment.people import Agreement, People
from cutline.judgment.results import PairResult, Ranking, win_share
from cutline.judgment.rubric import Rubric

MEANINGS: Final = {
    "Strength": "How often a captioner is preferred, over all opponents: of two captioners, one with 1 more "
    "wins 73 % of the games, one with 2 more 88 %. The mean is 0.",
    "95 % interval": "Where the strength would lie with other pictures of the same kind. Between captioners "
    "whose intervals overlap much, nothing is decided.",
    "Preferred": "Share of the pairs of captions won, ties half.",
    "Won, tied, lost": "Pairs of captions, over both orders: each once, by the place, is a tie.",
    "Place advantage": "The advantage of the caption shown first, which the strengths exclude.",
    "Agreement of both orders": "How often the judge names the same caption, whichever stands first. A judge "
    "that guesses agrees in half.",
}
"""An explanation of each figure, by its title."""

RUBRIC_MEANINGS: Final = {
    "Accuracy": "Is what the caption states right? 5: everything, 1: hardly anything.",
    "Coverage": "Does it name what matters? 5: all of it, 1: hardly anything.",
    "Invention": "Does it keep to what can be seen? 5: nothing is invented, 1: most is.",
    "Fluency": "Does it read well? 5: like a careful writer's text, 1: hard to understand.",
    "Overall": "The mean of the four. Small print: 95 % intervals, as with other pictures of the same kind.",
}
"""An explanation of each criterion, by its title."""


def limits(interval: Interval) -> str:
    """``+0.10 to +0.52``; a dash without limits."""
    if interval.low is None or interval.high is None:
        return "\N{EN DASH}"
    return f"{interval.low:+.2f} to {interval.high:+.2f}"


def lines(ranking: Ranking) -> list[str]:
    """What the tables do not show: clear differences, the order, agreement, and games without a verdict."""
    found = [*_clear(ranking)]
    if (place := ranking.place) is not None:
        found.append(
            f"place advantage {place.value:+.2f} ({limits(place)}): of two equally good captions the first "
            f"is preferred in {win_share(place.value):.0%}"
        )
    if ranking.agreement is not None:
        found.append(
            f"agreement of both orders: {ranking.agreement:.0%} of {plural(ranking.both_orders, 'pair')}"
        )
    unanswered = ranking.unanswered.total()
    kinds = f" ({most_common(ranking.unanswered)})" if unanswered else ""
    found.append(
        f"{plural(ranking.games, 'game')} about {plural(ranking.pictures, 'picture')}, {unanswered:,} "
        f"without verdict{kinds}"
    )
    if ranking.equal:
        found.append(f"{plural(ranking.equal, 'pair')} of equal captions: ties without a request")
    return found


def judgment_lines(judgment: Judgment) -> list[str]:
    """Everything that a table of strengths does not show, with warnings."""
    found = [f"judged by {judgment.judge}"]
    if judgment.ranking is not None:
        found += lines(judgment.ranking)
    if judgment.stopped:
        found.append(f"stopped: {judgment.stopped}")
    return [*found, *(f"warning: {warning}" for warning in judgment.warnings)]


def answered(judgment: Judgment, what: str = "game") -> str:
    """How much has been judged, and how much of it in earlier runs, which this one does not pay for."""
    found = f"{plural(judgment.requests, what)} judged"
    if not judgment.earlier:
        return found
    earlier = "all" if judgment.earlier == judgment.requests else f"{judgment.earlier:,}"
    return f"{found}, {earlier} of these in earlier runs"


def left_out(judgment: Judgment) -> list[str]:
    """Which contestants lack a caption of some pictures."""
    return [
        f"{name} has no caption of {plural(count, 'picture')}"
        for name, count in judgment.missing.items()
        if count
    ]


def people_lines(people: People) -> list[str]:
    """The figures of people's votes that the tables do not show."""
    found = [f"{plural(people.votes, 'vote')} of {plural(people.voters, 'person', 'people')}"]
    found += _clear(people.ranking)
    if people.among is not None:
        found.append(f"people agree with each other in {_agreement(people.among, 'pair', ' of votes')}")
    if people.with_judge is not None:
        found.append(f"people agree with the judge in {_agreement(people.with_judge, 'vote')}")
    return found


def rubric_lines(rubric: Rubric) -> list[str]:
    """What the table of ratings does not show: clear differences, and captions without ratings."""
    better: dict[str, list[str]] = {one.name: [] for one in rubric.contestants}
    for (first, second), difference in rubric.differences.items():
        if difference.excludes_zero:
            ahead = difference.value > 0
            better[first if ahead else second].append(second if ahead else first)
    found = [
        f"{name} is rated clearly higher than {' and '.join(others)}"
        for name, others in better.items()
        if others
    ]
    rated = sum(one.captions for one in rubric.contestants)
    unanswered = rubric.unanswered.total()
    kinds = f" ({most_common(rubric.unanswered)})" if unanswered else ""
    found.append(
        f"{plural(rated, 'caption')} of {plural(rubric.pictures, 'picture')} rated, {unanswered:,} without "
        f"rating{kinds}"
    )
    return found


def _agreement(agreement: Agreement, noun: str, what: str = "") -> str:
    text = f"{agreement.share:.0%} of {plural(agreement.count, noun)}{what}"
    if agreement.decided_share is None or agreement.decided == agreement.count:
        return text
    return f"{text}, without ties in {agreement.decided_share:.0%} of {agreement.decided:,}"


def _clear(ranking: Ranking) -> list[str]:
    """A line for each contestant about those that it is clearly better than."""
    better: dict[str, list[str]] = {one.name: [] for one in ranking.standings}
    for pair in ranking.pairs:
        if pair.difference.excludes_zero:
            ahead = pair.difference.value > 0
            better[pair.first if ahead else pair.second].append(pair.second if ahead else pair.first)
    found = [
        f"{name} is clearly better than {' and '.join(others)}" for name, others in better.items() if others
    ]
    undecided: Sequence[PairResult] = [one for one in ranking.pairs if not one.difference.excludes_zero]
    if undecided:
        pairs = ", ".join(f"{one.first} and {one.second}" for one in undecided[:5])
        more = f" and {len(undecided) - 5:,} more pairs" if len(undecided) > 5 else ""
        found.append(f"not decided: {pairs}{more}")
    return found


def wins(ranking: Ranking) -> list[tuple[str, list[str]]]:
    """A row for each contestant, the best first: its wins against each of the others."""
    won = {(one.first, one.second): one.wins for one in ranking.pairs}
    won |= {(one.second, one.first): one.losses for one in ranking.pairs}
    names = [one.name for one in ranking.standings]
    return [(name, [f"{won.get((name, other), '·')}" for other in names]) for name in names]
