"""``cutline report``: what a dataset says, as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter, validators

from cutline.analysis.clusters import MOST
from cutline.cli.dataset_options import DEFAULTS, DatasetOptions, Input, check_output
from cutline.cli.edit import find_rows
from cutline.cli.embed import Device, Model, Weights, compute
from cutline.dataset.report import dataset_report
from cutline.files import write_atomically, write_errors
from cutline.terminal import print_line


def report(
    folder: Input,
    output: Annotated[Path, Parameter(help="An .html file.")] = Path("report.html"),
    /,
    *,
    where: Annotated[str, Parameter(help="Only what matches, as in `cutline find`.")] = "",
    of: Annotated[
        Literal["captions", "images", "none"],
        Parameter(help="What is clustered, which needs the extra `analysis`; `none` for no clusters."),
    ] = "captions",
    clusters: Annotated[
        int | None,
        Parameter(validator=validators.Number(gte=1, lte=MOST), help="By default as many as suggested."),
    ] = None,
    model: Model = None,
    weights: Weights = None,
    device: Device = "auto",
    overwrite: Annotated[bool, Parameter(help="Replace the output if it is there.")] = False,
    dataset: Annotated[DatasetOptions, Parameter(name="*")] = DEFAULTS,
) -> int:
    """Write counts, words, clusters with their pictures, and what is worth a look, to one HTML file.

    The file loads nothing from elsewhere.
    """
    check_output(output, (".html", ".htm"), "the report is written", overwrite=overwrite)
    opened = dataset.open(folder)
    rows = find_rows(opened, where) if where else None
    embeddings = None
    if of != "none":
        embeddings = opened.embeddings(of, model=model, weights=weights, device=device)
        if compute(embeddings, rows).stopped:
            print_line("stopped; what is computed is kept: run the same command again to go on")
            return 130
    page = dataset_report(opened, rows, embeddings, clusters)
    with write_errors(output):
        write_atomically(output, page.encode(errors="replace"))
    print_line(f"report → {output}")
    return 0
