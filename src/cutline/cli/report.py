"""``cutline report``: a report of a run or a dataset, as one HTML file."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter, validators

from cutline.analysis.clusters import MOST
from cutline.cli.dataset_options import DEFAULTS, DatasetOptions, Input, Where
from cutline.cli.edit import find_rows
from cutline.cli.embed import Device, Model, Weights, compute
from cutline.cli.output_file import check_output
from cutline.dataset.report import dataset_report
from cutline.display import PLAIN_INTERVAL
from cutline.errors import ConfigError
from cutline.files import write_atomically, write_errors
from cutline.formatting import printable
from cutline.run_report.recorded_run import has_run, journal_folder
from cutline.run_report.report import run_report
from cutline.terminal import print_line


def report(
    folder: Input,
    /,
    output: Annotated[Path, Parameter(name=("--output", "-o"), help="An .html file.")] = Path("report.html"),
    *,
    about: Annotated[
        Literal["run", "dataset"] | None,
        Parameter(
            help="`run`: outcomes, measures, cost and samples of the run that wrote the input; `dataset`: "
            "its captions. By default the run, if its journal exists and no option of a dataset is given."
        ),
    ] = None,
    state: Annotated[
        str | None, Parameter(help="Folder of the run's journal, if it is not beside its output.")
    ] = None,
    scores: Annotated[
        Path | None,
        Parameter(help="Table of `cutline eval -o` for the run's output, to show among its measures."),
    ] = None,
    allow_private_urls: Annotated[
        bool, Parameter(help="Allow downloads of the run's pictures from private addresses.")
    ] = False,
    where: Where = "",
    of: Annotated[
        Literal["captions", "images", "none"],
        Parameter(help="What to cluster, which needs the extra `analysis`; `none` for no clusters."),
    ] = "captions",
    clusters: Annotated[
        int | None,
        Parameter(
            validator=validators.Number(gte=1, lte=MOST),
            help="Number of clusters; by default the suggested one.",
        ),
    ] = None,
    model: Model = None,
    weights: Weights = None,
    device: Device = "auto",
    overwrite: Annotated[bool, Parameter(help="Replace an existing output.")] = False,
    dataset: Annotated[DatasetOptions, Parameter(name="*")] = DEFAULTS,
) -> int:
    """Write a report of a run, or of the captions of a dataset, to one HTML file.

    Of a run: outcomes, distributions of all measures with the pictures at both ends, failures and skips with
    pictures, cost, samples. Of a dataset: counts, words, clusters with their pictures, and findings. The
    file is complete in itself.
    """
    check_output(
        output,
        (".html", ".htm"),
        "the report is written",
        overwrite=overwrite,
        inputs=[folder, None if scores is None else str(scores)],
    )
    options = {
        "--where": where,
        "--of": of != "captions",
        "--clusters": clusters is not None,
        "--model": model,
        "--weights": weights,
        "--device": device != "auto",
    }
    given = [name for name, value in options.items() if value]
    if dataset != DEFAULTS:
        given.append("an option of its files")
    hint = ""
    if about is None:
        about = "run" if state or scores or (not given and has_run(folder)) else "dataset"
        hint = _hint(folder) if about == "dataset" and not given else ""
    if about == "run":
        if given:
            raise ConfigError(f"{given[0]} is for the report of a dataset: remove it, or add --about dataset")
        page = run_report(
            folder, state=state, scores=scores, allow_private=allow_private_urls, progress=_progress()
        )
        return _write(output, page, "report of the run", "--about dataset reports on its captions")
    of_run = {
        "--state": state is not None,
        "--scores": scores is not None,
        "--allow-private-urls": allow_private_urls,
    }
    _refuse_run_options([name for name, is_given in of_run.items() if is_given])
    unused = [name for name in ("--clusters", "--model", "--weights", "--device") if options[name]]
    if of == "none" and unused:
        raise ConfigError(f"{unused[0]} is for clusters: remove it, or change --of none")
    opened = dataset.open(folder)
    rows = find_rows(opened, where) if where else None
    embeddings = None
    if of != "none":
        embeddings = opened.embeddings(of, model=model, weights=weights, device=device)
        if compute(embeddings, rows).stopped:
            print_line("stopped; finished work is kept: run the same command again to continue")
            return 130
    page = dataset_report(opened, rows, embeddings, clusters)
    return _write(output, page, "report", hint)


def _hint(folder: str) -> str:
    """Why an output gets the report of a dataset."""
    place = journal_folder(folder)
    if place is None:
        return ""
    return f"of the captions, as {printable(str(place))} has no journal of a run; --state names another"


def _refuse_run_options(given: Sequence[str]) -> None:
    if given:
        raise ConfigError(f"{given[0]} is for the report of a run: remove it, or add --about run")


def _progress() -> Callable[[int, int], None]:
    """Prints how much of a large journal is read, every few seconds."""
    last = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= PLAIN_INTERVAL:
            last = time.monotonic()
            print_line(f"read {done:,} of {total:,} outcomes")

    return show


def _write(output: Path, page: str, what: str, hint: str = "") -> int:
    with write_errors(output):
        write_atomically(output, page.encode(errors="replace"))
    print_line(f"{what} → {output}{hint and f'; {hint}'}")
    return 0
