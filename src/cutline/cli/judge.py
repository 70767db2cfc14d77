"""``cutline judge``: build a plan from outputs and options, run it, and print the result."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Annotated, Any, Literal  # noqa: F401 - types of inherited fields are looked up here

from cyclopts import Parameter
from rich.table import Table
from rich.text import Text

from cutline.cli.caption import JobGroups, TableInput, option_group, without
from cutline.cli.common_options import ServiceKey, Verbosity
from cutline.cli.execute import run_displayed
from cutline.cli.streams import optional_output
from cutline.cli.tables import lacking_line, new_table, table_console
from cutline.errors import ConfigError, SinkError
from cutline.formatting import money, plural, printable
from cutline.judgment.judgment import Judgment
from cutline.judgment.results import Ranking
from cutline.judgment.rubric import CRITERIA, Rubric
from cutline.judgment.runner import Hooks, JudgmentRunner, Plan
from cutline.judgment.summary import (
    answered,
    left_out,
    limits,
    lines,
    people_lines,
    rubric_lines,
    wins,
)
from cutline.options import (
    ModelOptions,
    OnChange,  # noqa: F401 - the type of an inherited field
    OnMissing,  # noqa: F401 - the type of an inherited field
    RunOptions,
    SamplePictures,  # noqa: F401 - the type of an inherited field
)
from cutline.terminal import Console, print_error, print_line

_NOTHING = "\N{EN DASH}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JudgedInput(TableInput):
    """As for a run."""

    image_limit: int = -1
    """Judge only the first N pictures; -1 takes all."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JudgeModel(ModelOptions):
    """As for a run, but the judge is the model."""

    model: Annotated[str, Parameter(parse=False)] = ModelOptions().model
    endpoint: str | None = None
    """URL of an OpenAI-compatible server of the judge."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JudgeRun(RunOptions):
    """As for a run."""

    state: str | None = None
    """Folder for the journals. [default: beside the result]"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JudgeGroups(JobGroups):
    """As for a run, without what concerns captions."""

    model: Annotated[JudgeModel, option_group("Model")] = JudgeModel()
    input: Annotated[JudgedInput, option_group("Input", negative="no-")] = JudgedInput()
    run: Annotated[JudgeRun, option_group("Run", negative="no-")] = JudgeRun()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JudgeActions(Verbosity):
    """Actions."""

    batch: bool = False
    """Judge through the service's batch API, at half the price; run it again within a day to collect."""
    estimate: bool = False
    """Judge a few pictures, print time, tokens and money of all, and stop."""


def judge(
    *outputs: str,
    model: Annotated[str | None, Parameter(name="--judge")] = None,
    images: str | None = None,
    allow_missing: bool = False,
    rubric: bool = False,
    people: str | None = None,
    votes: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = (),
    output_path: Annotated[str | None, Parameter(alias="-o")] = None,
    actions: Annotated[JudgeActions, option_group("Before and during")] = JudgeActions(),
    groups: Annotated[
        JudgeGroups,
        Parameter(name="*", parse=without("output", "step", "chain", "prompts", "checks", "filters")),
    ] = JudgeGroups(),
    service: Annotated[ServiceKey, option_group("Model")] = ServiceKey(),  # noqa: B008 - frozen
) -> int:
    """Rank several captions of the same pictures by a judge: a model, or people.

    Run the same command again to continue; no game is paid for twice.

    Parameters
    ----------
    outputs
        Outputs of earlier runs; `name=…` before one names it, `:PROMPT` behind it chooses one of
        several prompts.
    model
        The model that judges, `provider:name`; not one that wrote the captions.
    allow_missing
        Exit with 0 even if rows cannot be read, or captions are of pictures that are not among `--images`.
    rubric
        Rate single captions instead of pairs: accuracy, coverage, invention and fluency, from 1 to 5.
    people
        Write a voting page, `.html`: blind and offline; its votes are saved as a file.
    votes
        The files of votes that people saved.
    images
        The pictures, as for `cutline caption`, if they are not at the paths in the outputs.
    output_path
        Result: `.html` to look at, `.json` or `.csv` for programs. Default: `judgment.html`.
    """
    actions.check()
    if output_path is not None and people and model is None and not votes:
        raise ConfigError("--output-path is for a result: remove it, or add --judge MODEL or --votes FILE")
    job = groups.job(images or "", output_path)
    if model is not None:
        job = dataclasses.replace(job, model=dataclasses.replace(job.model, model=model))
    plan = Plan(
        outputs=outputs,
        job=job,
        key=service.key,
        judges=model is not None,
        rubric=rubric,
        batch=actions.batch,
        people=people or "",
        votes=votes,
        allow_missing=allow_missing,
    )
    if actions.estimate and model is None:
        raise ConfigError("--estimate is the cost of a judge: add --judge MODEL")
    if actions.estimate:
        return _estimate(plan)
    return _execute(plan, actions)


def _estimate(plan: Plan) -> int:
    from cutline.cli.preview import print_estimate, say

    runner = JudgmentRunner(plan, Hooks(message=say))
    print_estimate(plan.job, asyncio.run(runner.estimate()), "caption" if plan.rubric else "game")
    return 0


def _execute(plan: Plan, actions: JudgeActions) -> int:
    def message(line: str) -> None:
        if not actions.quiet:
            print_line(printable(line))

    try:
        judgment = run_displayed(
            lambda progress, stop: JudgmentRunner(plan, Hooks(progress=progress, message=message)).run(stop),
            actions,
        )
    except SinkError as error:
        print_error(str(error))
        return 4
    if not actions.quiet:
        _print(judgment, plan)
    elif judgment.stopped:
        print_error(f"stopped: {judgment.stopped}")
    return judgment.exit_code


def _print(judgment: Judgment, plan: Plan) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if judgment.stopped:
        print_error(f"stopped: {judgment.stopped}")
        console.print(answered(judgment, "caption" if plan.rubric else "game"), markup=False)
        console.print("nothing is lost: run the same command again to continue", markup=False)
        return
    with optional_output():
        _print_figures(judgment)
    for warning in judgment.warnings:
        print_error(f"warning: {printable(warning)}")
    for line in (*left_out(judgment), *judgment.notes):
        console.print(printable(line), markup=False)
    if not judgment.is_complete:
        console.print(lacking_line(allowed=plan.allow_missing), markup=False)
    if judgment.earlier:
        console.print(answered(judgment, "caption" if plan.rubric else "game"), markup=False)
    if judgment.cost:
        console.print(f"{money(judgment.cost)} in all", markup=False)
    if judgment.ballot:
        what = plural(judgment.ballot, "pair of captions", "pairs of captions")
        console.print(f"→ {plan.people}: {what} to vote on; open it in a browser", markup=False)
    if judgment.output:
        console.print(f"→ {Path(judgment.output)}", markup=False)


def _print_figures(judgment: Judgment) -> None:
    out = table_console()
    ranking, people = judgment.ranking, judgment.people
    if judgment.judge and ranking is None and judgment.rubric is None:
        out.print("there is no verdict", markup=False)
    if judgment.rubric is not None:
        out.print(_ratings(judgment.rubric))
        out.print()
        for line in rubric_lines(judgment.rubric):
            out.print(printable(line), markup=False)
    for title, found, more in (
        ("", ranking, [] if ranking is None else lines(ranking)),
        ("by people", None if people is None else people.ranking, people_lines(people) if people else []),
    ):
        if found is None:
            continue
        if title and judgment.judge:
            out.print()
            out.print(Text(title, style="bold"))
        out.print(_strengths(found))
        out.print()
        out.print(_wins(found))
        out.print()
        for line in more:
            out.print(printable(line), markup=False)


def _strengths(ranking: Ranking) -> Table:
    table = new_table("contestant", numbers=("strength", "95 % interval", "preferred", "won", "tied", "lost"))
    for one in ranking.standings:
        share = one.preferred
        table.add_row(
            Text(printable(one.name)),
            f"{one.strength.value:+.2f}",
            limits(one.strength),
            _NOTHING if share is None else f"{share:.0%}",
            *(f"{count:,}" for count in (one.wins, one.ties, one.losses)),
        )
    return table


def _ratings(rubric: Rubric) -> Table:
    table = new_table("contestant", numbers=("overall", "95 % interval", *CRITERIA, "captions"))
    for one in rubric.contestants:
        low, high = one.overall.low, one.overall.high
        table.add_row(
            Text(printable(one.name)),
            f"{one.overall.value:.2f}",
            _NOTHING if low is None or high is None else f"{low:.2f} to {high:.2f}",
            *(f"{one.criteria[name].value:.2f}" for name in CRITERIA),
            f"{one.captions:,}",
        )
    return table


def _wins(ranking: Ranking) -> Table:
    """Each contestant's wins against each other one, as rows and columns."""
    table = new_table("pictures won against", numbers=(printable(one.name) for one in ranking.standings))
    for name, cells in wins(ranking):
        table.add_row(Text(printable(name)), *cells)
    return table
