"""The result of judging a contest, by a model and by people."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence

from cutline.engine.report import EXIT_OK, Report
from cutline.formatting import most_common, one_line, plural
from cutline.judgment.contest import Contest
from cutline.judgment.people import People
from cutline.judgment.results import PlayedGame, Ranking, few_pictures, rank, self_judged
from cutline.judgment.rubric import Rating, Rubric, summarize


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Judgment:
    """The ``ranking`` of a contest by a ``judge`` (None without a verdict), and all games.

    ``rubric`` and ``ratings`` replace games if captions were rated one by one. ``people`` is the result of
    their votes. ``missing`` counts the pictures without a caption by contestant. ``outside`` counts, by
    contestant, the captions of pictures that are not among those given, named in ``notes`` with how ids were
    matched, and with unreadable rows; without these it ``is_complete``. ``stopped`` is the reason why games
    are missing; of the answered ``requests``, ``earlier`` ones were answered by earlier runs. ``cost`` is in
    US dollars, None without a known price. ``output`` is where the result was written, ``ballot`` the number
    of games on the voting page.
    """

    judge: str = ""
    ranking: Ranking | None = None
    played: Sequence[PlayedGame] = ()
    rubric: Rubric | None = None
    ratings: Sequence[Rating] = ()
    people: People | None = None
    warnings: tuple[str, ...] = ()
    missing: Mapping[str, int] = dataclasses.field(default_factory=dict)
    outside: Mapping[str, int] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    is_complete: bool = True
    exit_code: int = 0
    stopped: str = ""
    cost: float | None = None
    tokens: int = 0
    requests: int = 0
    earlier: int = 0
    output: str = ""
    ballot: int = 0


def judgment_of(
    contest: Contest,
    *,
    played: Sequence[PlayedGame] = (),
    ratings: Sequence[Rating] = (),
    people: People | None = None,
    judge: str = "",
    report: Report | None = None,
    warnings: Sequence[str] = (),
) -> Judgment:
    """The result of a judge's games or ratings, with the ``report`` of its run, and of votes."""
    ranking = rank(contest.names, played) if played else None
    models = {one.model for one in played} | {one.model for one in ratings} - {""}
    rubric = summarize(contest.names, ratings) if ratings else None
    found = [*(ranking.warnings() if ranking is not None else ()), *warnings]
    found += few_pictures(rubric.pictures) if rubric is not None else []
    if (played or ratings) and ranking is None and rubric is None:
        found.append(_without_any([*played, *ratings]))
    if judge:
        found += self_judged(contest.models, {judge, *models})
    if contest.changed:
        found.append(
            f"{plural(contest.changed, 'caption is', 'captions are')} about another version of the picture, "
            "and excluded: caption the current pictures again"
        )
    return Judgment(
        judge=judge,
        ranking=ranking,
        played=played,
        rubric=rubric,
        ratings=ratings,
        people=people,
        warnings=tuple(found),
        missing={
            one.name: sum(key not in one.captions for key in contest.samples) for one in contest.contestants
        },
        outside={} if contest.is_limited else {one.name: one.outside for one in contest.contestants},
        notes=contest.notes(),
        is_complete=contest.is_complete,
        exit_code=EXIT_OK if report is None else report.exit_code,
        stopped="" if report is None or report.stopped is None else str(report.stopped),
        cost=None if report is None else report.cost,
        tokens=0 if report is None else report.spent.total,
        requests=0 if report is None else report.known.total,
        earlier=0 if report is None else report.known.total - report.fresh.total,
    )


def _without_any(failed: Sequence[PlayedGame | Rating]) -> str:
    """The reason why no game has a verdict."""
    kinds = most_common(collections.Counter(one.kind for one in failed))
    return f"there is no verdict ({kinds}), such as {failed[0].kind}: {one_line(failed[0].problem, 200)}"
