"""``cutline eval``: captions measured, against references where there are some."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import orjson
from cyclopts import Parameter
from rich.table import Table
from rich.text import Text

from cutline.cli.output_file import check_output, check_overwrite
from cutline.cli.streams import optional_output
from cutline.cli.tables import lacking_line, new_table, table_console
from cutline.errors import ConfigError
from cutline.evaluation.evaluation import EvaluationPlan, run_evaluation
from cutline.evaluation.results import Evaluation, MetricScore
from cutline.evaluation.score_table import ENDINGS, write_scores
from cutline.formatting import plural, printable
from cutline.garbage_collection import collect_rarely
from cutline.installation import exact
from cutline.sinks.chosen_captions import split_choice
from cutline.terminal import print_line

_INTERVAL: Final = "95 % interval"
_WIDE: Final = 118  # columns of the table that compares
_NOTHING: Final = "\N{EN DASH}"


def evaluate(
    captions: Annotated[
        str,
        Parameter(
            help="A caption for each picture: an output of cutline, a folder of texts, COCO results. "
            "`PATH:NAME` chooses one of several prompts or contestants."
        ),
    ],
    /,
    *,
    references: Annotated[
        str | None,
        Parameter(help="Captions by people: the same kinds of file, COCO annotations, or {id: [text, …]}."),
    ] = None,
    against: Annotated[
        str | None, Parameter(help="Other captions of the same pictures: adds a paired test.")
    ] = None,
    metrics: Annotated[
        str | None,
        Parameter(help="Metrics such as bleu,cider-d. By default all that can be computed."),
    ] = None,
    images: Annotated[
        str | None, Parameter(help="Folder of the pictures: adds CLIPScore, which needs the extra `local`.")
    ] = None,
    model: Annotated[
        str | None,
        Parameter(help="CLIP model of CLIPScore, name or folder. [default: openai/clip-vit-base-patch32]"),
    ] = None,
    device: Annotated[str, Parameter(help="Device of the CLIP model: cpu, cuda, cuda:1 …")] = "auto",
    objects: Annotated[
        str | None,
        Parameter(help="A .json or .toml file of objects and what each picture shows: adds CHAIR."),
    ] = None,
    output: Annotated[
        Path | None,
        Parameter(
            name=("--output", "-o"),
            help="Write each picture's scores to a .parquet, .csv or .jsonl file.",
        ),
    ] = None,
    overwrite: Annotated[bool, Parameter(help="Replace an existing output.")] = False,
    allow_missing: Annotated[
        bool, Parameter(help="Exit with 0 even if pictures lack a caption or a reference.")
    ] = False,
    json: Annotated[bool, Parameter(help="Print the numbers as JSON.")] = False,
) -> int:
    """Measure captions: against references, for length and variety, per picture and for all."""
    check_overwrite(output, overwrite=overwrite)
    check_output(
        output,
        ENDINGS,
        "scores are written",
        overwrite=overwrite,
        inputs=[
            objects,
            *(split_choice(one)[0] for one in (captions, references, against) if one is not None),
        ],
    )
    names = None if metrics is None else tuple(filter(None, (name.strip() for name in metrics.split(","))))
    if names == ():
        raise ConfigError("--metrics is empty: give names such as bleu,cider-d, or remove it")
    if device != "auto" and images is None:
        raise ConfigError("--device is for the CLIP model of --images: add --images, or remove it")
    plan = EvaluationPlan(
        captions=captions,
        references=references,
        against=against,
        metrics=names or (),
        images=images,
        model=model,
        device=device,
        objects=objects,
    )
    collect_rarely()
    evaluation = run_evaluation(plan, print_line)
    if output is not None:
        write_scores(evaluation, output)
    with contextlib.nullcontext() if output is None or json else optional_output():
        if json:
            sys.stdout.write(orjson.dumps(evaluation.to_json(), option=orjson.OPT_INDENT_2).decode() + "\n")
        else:
            console = table_console()
            console.print(score_table(evaluation, console.width))
    _print_remarks(evaluation, allowed=allow_missing)
    if output is not None:
        print_line(f"scores of {plural(len(evaluation.pictures), 'picture')} → {output}")
    return 0 if evaluation.is_complete or allow_missing else 1


def score_table(evaluation: Evaluation, width: int) -> Table:
    names = _short_names(evaluation)
    if evaluation.against is None:
        table = new_table("metric", numbers=("value", _INTERVAL))
        table.add_column("")
        for name, score in evaluation.scores.items():
            note = Text(score.reason or _mark(score, names), style="yellow")
            table.add_row(name, _number(score.value), _interval(score.low, score.high), note)
        return table
    if width < _WIDE:
        return _narrow_table(evaluation)
    table = new_table(
        "metric", numbers=("value", _INTERVAL, "against", _INTERVAL, "difference", _INTERVAL, "p")
    )
    table.add_column("better", overflow="fold")
    table.add_column("")
    for name, score in evaluation.scores.items():
        row = _comparison(score, names)
        note = Text(score.reason or _mark(score, names), style="yellow")
        table.add_row(name, _number(score.value), _interval(score.low, score.high), *row, note)
    return table


def _narrow_table(evaluation: Evaluation) -> Table:
    """The comparison with each interval below its value, and both captions named as their columns."""
    names = {"captions": "captions", "against": "against"}
    table = new_table("metric", numbers=(*names.values(), "difference", "p"))
    for column in table.columns[1:]:
        column.no_wrap = True
    table.add_column("better", overflow="fold")
    for name, score in evaluation.scores.items():
        other, other_interval, difference, interval, p, better = _comparison(score, names)
        below = [
            Text(text, style="dim") for text in (_interval(score.low, score.high), other_interval, interval)
        ]
        note = Text(score.reason or _mark(score, names), style="yellow")
        cells = (Text(_number(score.value)), Text(other), difference)
        stacked = [Text("\n").join((cell, more)) for cell, more in zip(cells, below, strict=True)]
        table.add_row(Text("\n").join((Text(name), note)), *stacked, p, better)
    return table


def _short_names(evaluation: Evaluation) -> dict[str, str]:
    """The names of both captions in the table: file names, or paths if these are equal."""
    paths = {"captions": evaluation.captions, "against": evaluation.against or ""}
    short = {side: Path(path).name or path for side, path in paths.items()}
    if short["captions"] == short["against"]:
        short = paths
    return {side: printable(name) for side, name in short.items()}


def _mark(score: MetricScore, names: Mapping[str, str]) -> str:
    """The marks of the values, with the captions that they concern."""
    if score.other_mark and score.mark:
        return f"{score.mark}, of both"
    return f"{score.other_mark}, of {names['against']}" if score.other_mark else score.mark


def _comparison(score: MetricScore, names: Mapping[str, str]) -> tuple[str, str, Text, str, str, Text]:
    test = score.difference
    other = _number(score.other), _interval(score.other_low, score.other_high)
    if test is None:
        return *other, Text(""), "", "", Text("")
    better = score.better
    if test.is_equal:
        return *other, Text("equal", style="dim"), "", f"{test.p:.3f}", Text(_NOTHING)
    return (
        *other,
        Text(f"{test.difference:+.4f}", style="bold" if better else "dim"),
        f"{test.low:+.4f} … {test.high:+.4f}",
        f"{test.p:.3f}",
        Text(_NOTHING if better is None else names[better] + " (lower)" * (not score.higher_is_better)),
    )


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{_number(low)} … {_number(high)}"


def _number(value: float | None) -> str:
    if value is None:
        return _NOTHING
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"


def _print_remarks(evaluation: Evaluation, *, allowed: bool) -> None:
    """Print notes about the figures on the error stream."""
    for note in evaluation.notes:
        print_line(note)
    by_reason: dict[str, list[str]] = {}
    for name, reason in evaluation.left_out.items():
        by_reason.setdefault(reason, []).append(name)
    for reason, names in by_reason.items():
        print_line(exact(f"left out: {', '.join(names)}: {reason}"))
    for problem in evaluation.problems:
        print_line(str(problem))
    if not evaluation.is_complete:
        print_line(lacking_line(allowed=allowed))
