"""``cutline cluster``: groups of captions or pictures that are alike."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow.compute as pc
from cyclopts import Parameter, validators
from rich.text import Text

from cutline.analysis.clusters import MOST, NONE, best_count
from cutline.analysis.layout import EARLY, LATE
from cutline.analysis.map_plot import map_plot
from cutline.cli.dataset_options import DEFAULTS, DatasetOptions, Input, edit_progress
from cutline.cli.embed import Device, Model, Weights, compute
from cutline.cli.output_file import check_output, check_overwrite
from cutline.cli.tables import new_table, table_console
from cutline.dataset.dataset_clusters import Clustering, Of
from cutline.dataset.embedding_map import EmbeddingMap, summarize
from cutline.dataset.embeddings import EmbedResult
from cutline.dataset.words import DatasetWords
from cutline.dataset.writer import StopEdit
from cutline.errors import ConfigError
from cutline.files import write_atomically, write_errors
from cutline.formatting import plural, printable
from cutline.terminal import print_line


def cluster(
    folder: Input,
    /,
    *,
    of: Annotated[Of, Parameter(help="What to cluster: the captions, or the pictures.")] = "captions",
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
    layout: Annotated[
        Literal["pca", "t-sne"], Parameter(help="Layout of x and y; t-sne takes longer and shows more.")
    ] = "pca",
    output: Annotated[
        Path | None,
        Parameter(
            name=("--output", "-o"), help="Write image_id, cluster, x, y and distance of each to a .csv file."
        ),
    ] = None,
    plot: Annotated[Path | None, Parameter(help="Write the map of the clusters to an .svg file.")] = None,
    overwrite: Annotated[bool, Parameter(help="Replace existing outputs.")] = False,
    dataset: Annotated[DatasetOptions, Parameter(name="*")] = DEFAULTS,
) -> int:
    """Find groups of similar captions or pictures, and name them by the words they have in common.

    Queries find them as `cluster:3`, or by name.
    """
    check_overwrite(output, plot, overwrite=overwrite)
    check_output(output, (".csv",), "clusters are written", overwrite=overwrite, inputs=[folder])
    check_output(plot, (".svg",), "the map is drawn", overwrite=overwrite, inputs=[folder])
    opened = dataset.open(folder)
    embeddings = opened.embeddings(of, model=model, weights=weights, device=device)
    result = compute(embeddings)
    if result.stopped:
        print_line("stopped; finished work is kept: run the same command again to continue")
        return 130
    found = EmbeddingMap.of_embeddings(embeddings, embeddings.places())
    if not len(found.rows):
        raise ConfigError(_nothing(of, result))
    latest = opened.clusters.latest()
    before = latest if latest is not None and (latest.of, latest.model) == (of, found.model) else None
    count = clusters or best_count(found.suggest()) or 1
    made = found.cluster(count, DatasetWords(opened), before)
    if layout == "t-sne":
        try:
            with edit_progress(EARLY + LATE) as progress:
                found.lay_out(progress)
        except StopEdit:
            return 130
    opened.clusters.keep(made)
    keys = [entry.key for entry in opened.entries]
    if output is not None:
        _write(output, _table(keys, made, found))
    if plot is not None:
        names = {number: made.name(number) for number in made.numbers}
        _write(plot, map_plot(found.points(), made.labels, names))
    _show(made, np.asarray(pc.is_valid(opened.texts())))
    if clusters is not None and len(made.numbers) < clusters:
        points = len(found.rows)
        reason = f"{found.model} cannot distinguish more {of}"
        if len(made.numbers) == points:
            reason = f"only {plural(points, of[:-1])} to compare"
        print_line(f"{plural(len(made.numbers), 'cluster')} in place of {clusters}: {reason}")
    print_line(_counts(of, made, result, output, plot))
    return 1 if result.failed else 0


def _nothing(of: Of, result: EmbedResult) -> str:
    if result.failed:
        key, reason = result.failed[0]
        return f"no picture can be read, such as {key}: {reason}"
    other = "; caption them, or give --of images" if of == "captions" else ""
    return f"there are no {of} to compare{other}"


def _table(keys: list[str], made: Clustering, found: EmbeddingMap) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("image_id", "cluster", "x", "y", "distance"))
    points = found.points()
    for row in found.rows.tolist():
        x, y = points[row]
        place = (made.labels[row] + 1, f"{x:.5f}", f"{y:.5f}", f"{made.distances[row]:.5f}")
        writer.writerow((keys[row], *place))
    return file.getvalue()


def _write(path: Path, text: str) -> None:
    with write_errors(path):
        write_atomically(path, text.encode(errors="surrogateescape"))


def _show(made: Clustering, has_caption: Any) -> None:
    table = new_table("cluster", "name", numbers=("size", "share", "without a caption"))
    for one in summarize(made, has_caption):
        missing = f"{one.missing:.0%}" if one.missing else ""
        table.add_row(
            str(one.number + 1), Text(printable(one.name)), f"{one.size:,}", f"{one.share:.1%}", missing
        )
    table_console().print(table)


def _counts(of: Of, made: Clustering, result: EmbedResult, output: Path | None, plot: Path | None) -> str:
    shown = int((made.labels != NONE).sum())
    noun = "caption" if of == "captions" else "picture"
    parts = [f"{plural(shown, noun)} in {plural(len(made.numbers), 'cluster')}"]
    if result.empty:
        parts.append(f"{result.empty:,} without a caption")
    if result.failed:
        parts.append(f"{len(result.failed):,} failed")
    written = ", ".join(str(path) for path in (output, plot) if path is not None)
    return ", ".join(parts) + (f" → {written}" if written else "")
