"""Results of each candidate of a comparison: its answers and figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from cutline.comparison.candidate_runs import CandidateRun
from cutline.comparison.candidates import Candidate
from cutline.comparison.results import CandidateResult
from cutline.comparison.scores import ScoredPicture
from cutline.comparison.statistics import compute_figures
from cutline.engine.recorded_captions import Answers, cost_of_run, read_answers
from cutline.evaluation.reference_scores import ReferenceScores


def candidate_answers(
    runs: Sequence[CandidateRun], earlier: Mapping[str, Answers], keys: Sequence[str]
) -> list[Answers]:
    """Each candidate's answers; none if it was stopped before the first one."""
    return [
        earlier[run.output]
        if run.output in earlier
        else read_answers(run.output, keys)
        if Path(run.output).exists()
        else Answers(by_key={}, model="", prompt="")
        for run in runs
    ]


def answers_about(answers: Answers, scored: Sequence[ScoredPicture]) -> Answers:
    """The answers, without those about other pictures than the compared ones."""
    digests = {one.picture.key: one.digest for one in scored}
    by_key = {key: answer.about(digests.get(key, "")) for key, answer in answers.by_key.items()}
    return dataclasses.replace(answers, by_key=by_key)


def candidate_result(
    candidate: Candidate,
    run: CandidateRun,
    answers: Answers,
    scores: Mapping[str, Mapping[str, float]],
    found: ReferenceScores,
) -> CandidateResult:
    names = sorted({name for scored in scores.values() for name in scored})
    means = {name: fmean(scored[name] for scored in scores.values() if name in scored) for name in names}
    cost = run.cost if candidate.job is not None else cost_of_run(run.output)
    return CandidateResult(
        name=candidate.name,
        model=run.model or answers.model,
        prompt=answers.prompt,
        answers=answers.by_key,
        figures=compute_figures(
            answers.by_key.values(),
            cost=cost,
            pace=run.pace,
            scores={**means, **found.totals},
            marks=found.marks,
            intervals=found.intervals,
        ),
        scores={key: {**one, **found.by_picture.get(key, {})} for key, one in scores.items()},
        stopped=run.stopped,
    )
