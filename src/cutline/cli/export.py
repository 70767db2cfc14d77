"""``cutline export``: the pictures and captions of a folder as an archive, a table or another folder."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from cutline.cli.dataset_options import DEFAULTS, DatasetOptions, Input, Where, edit_progress
from cutline.cli.edit import find_rows
from cutline.dataset.export.records import ExportResult
from cutline.dataset.opened_input import history_folder
from cutline.files import name_to_text
from cutline.formatting import plural, printable
from cutline.sidecars.replaced import undo_lines
from cutline.terminal import print_error, print_line

_SHOWN = 5  # pictures


def export(
    folder: Input,
    /,
    output: Annotated[str, Parameter(name=("--output", "-o"), help="The file or folder to write.")],
    *,
    form: Annotated[
        str | None,
        Parameter(
            name="--format",
            help="webdata-zip (pictures and one JSON of pairs; what .zip means), zip (pictures and texts), "
            "webdataset (a folder of tars), imagefolder (a folder of copies), folder (copies, each with its "
            ".txt), texts (the .txt files alone, also beside pictures that are there), kohya (JSON for "
            "sd-scripts), jsonl, json, csv, tsv or parquet. By default that of the output's extension.",
        ),
    ] = None,
    where: Where = "",
    empty: Annotated[bool, Parameter(help="Include pictures without a caption, with an empty one.")] = False,
    overwrite: Annotated[bool, Parameter(help="Replace an existing output.")] = False,
    dataset: Annotated[DatasetOptions, Parameter(name="*")] = DEFAULTS,
) -> int:
    """Write the pictures and captions of a folder to an archive, a table or another folder."""
    opened = dataset.open(folder)
    rows = find_rows(opened, where) if where else None
    with edit_progress(len(opened) if rows is None else len(rows)) as progress:
        result = opened.export(output, rows, format=form, overwrite=overwrite, empty=empty, progress=progress)
    print_line(_outcome(result))
    if form is None and result.format == "json" and result.is_complete:
        print_line("it is a list of rows; --format kohya writes the JSON of sd-scripts")
    for line in undo_lines(result.replaced, result.output, history_folder(str(result.output))):
        print_line(line)
    for _, problem in result.failed[:_SHOWN]:
        print_error(problem)
    if result.stopped:
        return 130
    return 1 if result.failed else 0


def _outcome(result: ExportResult) -> str:
    name = name_to_text(str(result.output))
    unit = "text" if result.format == "texts" else "picture"
    done = f"{plural(result.written, unit)} exported to {name}"
    parts = [done if result.is_complete else f"nothing was written to {name}"]
    if result.alone:
        first = printable(result.alone[0])
        parts.append(f"{len(result.alone):,} of them beside no picture there, such as that of {first}")
    if result.missing:
        parts.append(f"{result.missing:,} without a caption left out")
    if result.failed:
        parts.append(f"{len(result.failed):,} failed")
    if result.stopped:
        parts.append(f"stopped before {result.stopped:,} more")
    return "; ".join(parts)
