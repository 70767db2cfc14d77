"""``cutline compare``: contestants and options to a plan, and the plan to its end."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from pathlib import Path
from typing import Annotated, Any, Literal  # noqa: F401 - types of inherited fields are looked up here

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cutline.cli.caption import StartedServer, option_group, typed
from cutline.cli.common_options import Saying
from cutline.cli.execute import log, signals
from cutline.cli.service_key import ServiceKey
from cutline.comparison.results import Comparison
from cutline.comparison.runner import DEFAULT_OUTPUT, IMAGE_LIMIT, Ended, Plan, run_comparison
from cutline.comparison.runs import Halt, Watching
from cutline.display import Display
from cutline.errors import SinkError
from cutline.formatting import money, printable
from cutline.job import (
    CheckOptions,
    InputOptions,
    Job,
    LocalOptions,
    ModelOptions,
    OnChange,  # noqa: F401 - the type of an inherited field
    PictureOptions,
    PromptOptions,
    RunOptions,
)

PIPED = 250  # columns of the table where no terminal has fewer: long names stay in one line


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ComparedInput(InputOptions):
    """As for a run, but with few pictures."""

    image_limit: int = IMAGE_LIMIT
    """Compare only the first N pictures; -1 takes all."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ComparedModel(ModelOptions):
    """As for a run, but the contestants are the models."""

    model: Annotated[str, Parameter(parse=False)] = ModelOptions().model
    step: Annotated[tuple[str, ...], Parameter(parse=False)] = ()
    chain: Annotated[str | None, Parameter(parse=False)] = None
    endpoint: str | None = None
    """URL of an OpenAI-compatible server, for the models that name no provider."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRun(RunOptions):
    """As for a run; budgets are those of the whole comparison."""

    budget_tokens: int | None = None
    """Stop cleanly when all together used this many tokens."""
    max_cost: float | None = None
    """Stop cleanly when all together cost this much money (US dollars)."""
    state: str | None = None
    """Folder for the journals. [default: beside the report]"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ComparedChecks(CheckOptions):
    """As for a run, but similarity can be measured without dropping anything."""

    similarity_model: str | None = None
    """CLIP or SigLIP, name or folder: measures how like their pictures the captions are."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Showing(Saying):
    """What is shown, and how much is said."""

    blind: bool = False
    """Call the captioners A, B … in the report, and show who is who at a click."""


def compare(
    *contestants: str,
    input_path: str | None = None,
    output_path: str = DEFAULT_OUTPUT,
    showing: Annotated[Showing, option_group("Before and during")] = Showing(),
    model: Annotated[ComparedModel, option_group("Model")] = ComparedModel(),
    service: Annotated[ServiceKey, option_group("Model")] = ServiceKey(),  # noqa: B008 - frozen
    local: Annotated[LocalOptions, option_group("Local models")] = LocalOptions(),  # noqa: B008 - frozen
    server: Annotated[StartedServer, option_group("Local servers")] = StartedServer(),  # noqa: B008 - frozen
    prompts: Annotated[PromptOptions, option_group("Prompt")] = PromptOptions(),  # noqa: B008 - frozen
    checks: Annotated[ComparedChecks, option_group("Checks")] = ComparedChecks(),
    input: Annotated[ComparedInput, option_group("Input", negative="no-")] = ComparedInput(),  # noqa: A002
    pictures: Annotated[PictureOptions, option_group("Pictures")] = PictureOptions(),  # noqa: B008 - frozen
    run: Annotated[ComparedRun, option_group("Run", negative="no-")] = ComparedRun(),
) -> int:
    """Ask several models, or with several prompts, about the same pictures; show the captions side by side.

    The same command again goes on where the last one ended, and asks nobody twice.

    Parameters
    ----------
    contestants
        Models, chain files (`.toml`), outputs of earlier runs; `name=…` before one names it.
    input_path
        The pictures, as for `cutline caption`. Not needed where every contestant is an output.
    output_path
        Report: `.html` to look at, `.json` or `.csv` for programs.
    """
    showing.check()
    job = Job(
        input_path=input_path or "",
        output_path=output_path,
        input=_as(InputOptions, input),
        model=typed(_as(ModelOptions, model)),
        local=local,
        server=server,
        prompts=prompts,
        checks=_as(CheckOptions, checks),
        pictures=pictures,
        run=_as(RunOptions, run),
    )
    return _execute(Plan(words=contestants, job=job, key=service.key, blind=showing.blind), showing)


def _as(cls: type[Any], options: Any) -> Any:
    """The options of a comparison as those of a run."""
    return cls(**{field.name: getattr(options, field.name) for field in dataclasses.fields(cls)})


def _execute(plan: Plan, showing: Showing) -> int:
    """Make the comparison and say how it went; returns the exit code."""
    display = Display(quiet=showing.quiet)
    try:
        with display:
            log(verbose=showing.verbose)
            ended = asyncio.run(_run(plan, display))
    except SinkError as error:
        print(f"cutline: {error}", file=sys.stderr)  # noqa: T201 - the command line speaks
        return 4
    if not showing.quiet:
        _tell(ended)
    return ended.exit_code


async def _run(plan: Plan, display: Display) -> Ended:
    halt = Halt()
    with signals(halt, display):
        return await run_comparison(
            plan, watching=Watching(say=display.say, progress=display.show), halt=halt
        )


def _tell(ended: Ended) -> None:
    console = Console(stderr=True, highlight=False)
    console.soft_wrap = not console.is_terminal
    if ended.comparison is None:
        journals = f"(journals in {ended.state})"
        console.print(
            Text(f"interrupted · nothing is lost: the same command goes on {journals}", style="bold")
        )
        return
    comparison = ended.comparison
    out = Console(highlight=False)
    if not out.is_terminal:
        out.width = max(out.width, PIPED)
    out.print(_table(comparison))
    shown, total = len(comparison.pictures), comparison.total
    if total is not None and total > shown:
        console.print(f"the first {shown:,} of {total:,} pictures; --image-limit takes another number")
    lost = sum(picture.thumbnail is None for picture in comparison.pictures)
    if lost and not comparison.input:
        console.print(f"{lost:,} pictures are not where they were: --input-path tells where they are now")
    if any(entrant.stopped for entrant in comparison.entrants):
        console.print(Text("not everything was asked; the same command goes on", style="bold"))
    console.print(f"→ {Path(ended.output)}", markup=False)


def _table(comparison: Comparison) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("captioner", overflow="fold")
    priced = any(entrant.figures.cost for entrant in comparison.entrants)
    for title in ("captions", "failed", "words", "pictures/s", *(["$ per 1,000"] if priced else [])):
        table.add_column(title, justify="right")
    for entrant in comparison.entrants:
        figures = entrant.figures
        table.add_row(
            Text(printable(entrant.name)),
            f"{figures.captions:,}",
            Text(f"{figures.failures:,}", style="red" if figures.failures else ""),
            f"{figures.words:.1f}",
            f"{figures.pace:,.2f}" if figures.pace else "",
            *([money(1000 * figures.cost) if figures.cost else ""] if priced else []),
        )
    return table
