"""The judge of a comparison: which candidate's captions a model prefers, as figures among the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from cutline.comparison.candidate_runs import Cancellation, Hooks
from cutline.comparison.candidates import Candidate
from cutline.comparison.results import CandidateResult
from cutline.engine.recorded_captions import Answers
from cutline.engine.report import EXIT_STOPPED
from cutline.formatting import stored_key
from cutline.job import Job
from cutline.judgment.contest import Contest, Contestant
from cutline.judgment.games import GameSource, schedule
from cutline.judgment.judge_job import check_judge, judge_job, replies_to
from cutline.judgment.judgment import Judgment, judgment_of
from cutline.judgment.results import PlayedGame, self_judged
from cutline.judgment.verdicts import played_games
from cutline.options import RunOptions
from cutline.records import Sample
from cutline.serialization import valid_unicode

PREFERRED: Final = "preferred"
MEANING: Final = "Share of the pairs of captions that the judge prefers to those of all others, ties half."


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonJudge:
    """Judges the captions of candidates. ``folder`` keeps the journal of the games."""

    judge: Candidate
    folder: Path
    hooks: Hooks
    cancellation: Cancellation

    async def check(self) -> None:
        """Raise ConfigError for a model that cannot judge."""
        await check_judge(self._job(), self.judge.key)

    async def run(
        self,
        candidates: Sequence[Candidate],
        answers: Sequence[Answers],
        samples: Sequence[Sample],
        options: RunOptions | None,
    ) -> Judgment:
        """Judge all pairs; raises as ``run_job``. ``options`` has the budgets that are left, if any are."""
        contest = Contest(
            is_limited=True,  # the first pictures, as compared
            contestants=tuple(
                found
                for candidate, one in zip(candidates, answers, strict=True)
                if (found := Contestant.of(candidate.name, one)).captions
            ),
            samples={stored_key(valid_unicode(sample.key)): sample for sample in samples},
        )
        games = schedule(contest)
        if options is None:
            return Judgment(judge=self.judge.name, stopped="the budget is used up", exit_code=EXIT_STOPPED)
        for line in self_judged(contest.models, {self.judge.name, self._job().model.model}):
            self.hooks.message(f"warning: {line}")
        self.hooks.message(f"judging {len(games.games):,} games by {self.judge.name}")
        job = dataclasses.replace(self._job(), run=dataclasses.replace(options, state=None))
        replies, report = await replies_to(
            GameSource(contest, games.games),
            job,
            folder=self.folder,
            key=self.judge.key,
            progress=self.hooks.progress,
            stop=self.cancellation.stop(),
        )
        return judgment_of(contest, played=played_games(games, replies), judge=job.model.model, report=report)

    def _job(self) -> Job:
        assert self.judge.job is not None
        return judge_job(self.judge.job)


def with_judgment(results: Sequence[CandidateResult], judgment: Judgment) -> tuple[CandidateResult, ...]:
    """The results with the judge's figures among the others."""
    if judgment.ranking is None:
        return tuple(results)
    standings = {one.name: one for one in judgment.ranking.standings}
    shares = _shares(judgment.played)
    found = []
    for result in results:
        standing, own = standings.get(result.name), shares.get(result.name, {})
        figures = result.figures
        if standing is not None and standing.preferred is not None:
            scores = {**figures.scores, PREFERRED: standing.preferred}
            figures = dataclasses.replace(figures, scores=scores, strength=standing.strength)
        by_picture = {
            key: {**result.scores.get(key, {}), **({PREFERRED: own[key]} if key in own else {})}
            for key in {*result.scores, *own}
        }
        found.append(dataclasses.replace(result, figures=figures, scores=by_picture))
    return tuple(found)


def _shares(played: Sequence[PlayedGame]) -> Mapping[str, Mapping[str, float]]:
    """The share of its games that each contestant won on each picture, ties half."""
    points: dict[str, dict[str, list[float]]] = {}
    for one in played:
        if one.winner is None:
            continue
        winner = one.game.winner_name(one.winner)
        for name in (one.game.first, one.game.second):
            won = 0.5 if not winner else float(winner == name)
            points.setdefault(name, {}).setdefault(one.game.picture, []).append(won)
    return {
        name: {key: sum(won) / len(won) for key, won in by_picture.items()}
        for name, by_picture in points.items()
    }
