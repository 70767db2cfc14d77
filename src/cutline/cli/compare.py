"""``cutline compare``: build a plan from candidates and options, and run it."""

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
from cutline.cli.execute import log, signals
from cutline.cli.streams import optional_output
from cutline.cli.tables import lacking_line, new_table, table_console
from cutline.comparison.candidate_runs import Cancellation, Hooks
from cutline.comparison.judge import PREFERRED
from cutline.comparison.results import Comparison
from cutline.comparison.runner import DEFAULT_OUTPUT, IMAGE_LIMIT, ComparisonRun, ComparisonRunner, Plan
from cutline.comparison.statistics import EXPORTED_ONLY, Figures
from cutline.display import Display
from cutline.errors import ConfigError, SinkError
from cutline.formatting import money, plural, printable
from cutline.judgment.summary import answered, judgment_lines, limits
from cutline.options import (
    CheckOptions,
    ModelOptions,
    OnChange,  # noqa: F401 - the type of an inherited field
    OnMissing,  # noqa: F401 - the type of an inherited field
    RunOptions,
    SamplePictures,  # noqa: F401 - the type of an inherited field
)
from cutline.terminal import Console, print_error, print_line


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ComparedInput(TableInput):
    """As for a run, but with few pictures."""

    image_limit: int = IMAGE_LIMIT
    """Compare only the first N pictures; -1 takes all."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ComparedModel(ModelOptions):
    """As for a run, but the candidates are the models."""

    model: Annotated[str, Parameter(parse=False)] = ModelOptions().model
    endpoint: str | None = None
    """URL of an OpenAI-compatible server, for the models without a provider."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRun(RunOptions):
    """As for a run; budgets are those of the whole comparison."""

    budget_tokens: int | None = None
    """Stop cleanly when all candidates together have used this many tokens."""
    max_cost: float | None = None
    """Stop cleanly when all candidates together have cost this much (US dollars)."""
    state: str | None = None
    """Folder for the journals. [default: beside the report]"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ComparedChecks(CheckOptions):
    """As for a run, but similarity can be measured without dropping anything."""

    similarity_model: str | None = None
    """CLIP or SigLIP, name or folder: measures the similarity of captions and pictures."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ComparedGroups(JobGroups):
    """As for a run."""

    model: Annotated[ComparedModel, option_group("Model")] = ComparedModel()
    checks: Annotated[ComparedChecks, option_group("Checks")] = ComparedChecks()
    input: Annotated[ComparedInput, option_group("Input", negative="no-")] = ComparedInput()
    run: Annotated[ComparedRun, option_group("Run", negative="no-")] = ComparedRun()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions(Verbosity):
    """What the report shows, and how much is printed."""

    blind: bool = False
    """Name the models A, B … in the report, and show their names on a click."""
    references: str | None = None
    """Reference captions by people, as for `cutline eval`: adds BLEU, ROUGE-L, METEOR and CIDEr-D."""
    allow_missing: bool = False
    """Exit with 0 even if rows cannot be read, or pictures lack a caption or a reference."""


def compare(
    *candidates: str,
    input_path: str | None = None,
    output_path: Annotated[str, Parameter(alias="-o")] = DEFAULT_OUTPUT,
    judge: str | None = None,
    report: Annotated[ReportOptions, option_group("Before and during")] = ReportOptions(),
    groups: Annotated[
        ComparedGroups, Parameter(name="*", parse=without("output", "step", "chain"))
    ] = ComparedGroups(),
    service: Annotated[ServiceKey, option_group("Model")] = ServiceKey(),  # noqa: B008 - frozen
) -> int:
    """Caption the same pictures with several models or prompts and show the captions side by side.

    Run the same command again to continue; nothing is captioned twice.

    Parameters
    ----------
    candidates
        Models, chain files (`.toml`), outputs of earlier runs; `name=…` before one names it,
        `:PROMPT` behind an output chooses one of several prompts.
    input_path
        The pictures, as for `cutline caption`. Not needed if every candidate is an output.
    output_path
        Report: `.html` to look at, `.json` or `.csv` for programs.
    judge
        A model that judges which captions are better, `provider:name`; not one of those compared.
    """
    report.check()
    if report.blind and Path(output_path).suffix.lower() in {".json", ".csv"}:
        raise ConfigError(f"--blind is for a page: change {output_path} to .html, or remove it")
    job = groups.job(input_path or "", output_path)
    plan = Plan(
        candidates=candidates,
        job=job,
        key=service.key,
        blind=report.blind,
        references=report.references,
        judge=judge or "",
        allow_missing=report.allow_missing,
    )
    return _execute(plan, report)


def _execute(plan: Plan, report: ReportOptions) -> int:
    """Run the comparison and print its result; returns the exit code."""
    display = Display(quiet=report.quiet)
    try:
        with display:
            log(verbose=report.verbose)
            ended = asyncio.run(_run(plan, display))
    except SinkError as error:
        print_error(str(error))
        return 4
    if not report.quiet:
        _print_result(ended)
        if ended.comparison is not None and ended.is_lacking:
            print_line(lacking_line(allowed=plan.allow_missing))
    return ended.exit_code


async def _run(plan: Plan, display: Display) -> ComparisonRun:
    cancellation = Cancellation()
    hooks = Hooks(message=display.say, progress=display.show)
    with signals(cancellation, display):
        return await ComparisonRunner(plan=plan, hooks=hooks, cancellation=cancellation).run()


def _print_result(ended: ComparisonRun) -> None:
    console = Console(stderr=True, highlight=False)
    console.soft_wrap = not console.is_terminal
    if ended.comparison is None:
        journals = f"(journals in {ended.state})"
        message = f"interrupted · nothing is lost: run the same command again to continue {journals}"
        console.print(Text(message, style="bold"))
        return
    comparison = ended.comparison
    out = table_console()
    with optional_output():
        out.print(_table(comparison))
        if marks := _marks(comparison):
            out.print(marks, markup=False)
        if comparison.judgment is not None:
            out.print()
            for line in judgment_lines(comparison.judgment):
                out.print(printable(line), markup=False)
    if comparison.judgment is not None and comparison.judgment.earlier:
        console.print(answered(comparison.judgment), markup=False)
    shown, total = len(comparison.pictures), comparison.total
    if total is not None and total > shown:
        console.print(f"the first {shown:,} of {total:,} pictures; change this with --image-limit")
    lost = [picture for picture in comparison.pictures if picture.thumbnail is None]
    if lost and not comparison.input:
        example = printable(f"{lost[0].key}: {lost[0].problem}")
        cure = "; if pictures have moved, give their folder with --input-path"
        console.print(
            f"{plural(len(lost), 'picture')} cannot be shown, such as {example}{cure}", markup=False
        )
    if any(candidate.stopped for candidate in comparison.candidates):
        message = "not everything is captioned; run the same command again to continue"
        console.print(Text(message, style="bold"))
    console.print(f"→ {Path(ended.output)}", markup=False)


def _table(comparison: Comparison) -> Table:
    priced = any(candidate.figures.cost for candidate in comparison.candidates)
    judged = ["preferred", "strength"] if comparison.judgment is not None else []
    titles = ["captions", "failed", "words", "pictures/s", *(["$ per 1,000"] if priced else [])]
    scores = sorted({name for candidate in comparison.candidates for name in candidate.figures.scores})
    shown = [name for name in scores if name not in {*EXPORTED_ONLY, PREFERRED}]
    table = new_table("captioner", numbers=(*titles, *shown, *judged))
    for candidate in comparison.candidates:
        figures = candidate.figures
        table.add_row(
            Text(printable(candidate.name)),
            f"{figures.captions:,}",
            Text(f"{figures.failures:,}", style="red" if figures.failures else ""),
            f"{figures.words:.1f}",
            f"{figures.pace:,.2f}" if figures.pace else "",
            *([money(1000 * figures.cost) if figures.cost else ""] if priced else []),
            *(_score(figures, name) for name in shown),
            *(_judged(figures) if judged else []),
        )
    return table


def _score(figures: Figures, name: str) -> Text:
    """A score with its interval below, and an asterisk if there is a footnote."""
    if name not in figures.scores:
        return Text("")
    text = Text(f"{figures.scores[name]:.3f}{'*' * (name in figures.marks)}")
    interval = figures.interval(name)
    return Text("\n").join((text, Text(interval, style="dim"))) if interval else text


def _marks(comparison: Comparison) -> str:
    """The footnote of scores with an asterisk; empty for none."""
    marks = {mark for candidate in comparison.candidates for mark in candidate.figures.marks.values()}
    return f"* {', '.join(sorted(marks))}" if marks else ""


def _judged(figures: Figures) -> tuple[str, str]:
    """The share of pairs won and the strength with its interval, empty where nothing was judged."""
    if figures.strength is None:
        return "", ""
    return f"{figures.scores[PREFERRED]:.0%}", f"{figures.strength.value:+.2f} ({limits(figures.strength)})"
