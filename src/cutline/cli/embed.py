"""``cutline embed``: embeddings of the captions or pictures of a folder, computed once and cached."""

from __future__ import annotations

import time
from collections import Counter
from typing import Annotated, Literal

from cyclopts import Parameter

from cutline.cli.dataset_options import DEFAULTS, DatasetOptions, Input, Where, edit_progress
from cutline.cli.edit import find_rows
from cutline.dataset.embeddings import Embeddings, EmbedResult
from cutline.dataset.preview import RowNumbers
from cutline.formatting import plural, printable
from cutline.terminal import print_error, print_line
from cutline.weights import Say

_SHOWN = 5  # pictures
_INTERVAL = 10.0  # seconds between two lines of a download

Model = Annotated[
    str | None,
    Parameter(
        name=("--model", "-m"),
        help="Of captions: all-MiniLM-L6-v2 (the default), sentence-bert:OWNER/NAME or clip. Of images: "
        "efficientnet-lite0 (the default), resnet50-v2 or clip.",
    ),
]
Weights = Annotated[
    str | None,
    Parameter(help="Weights: a folder, OWNER/NAME on the hub, or for image networks a safetensors file."),
]
Device = Annotated[str, Parameter(help="Such as cpu or cuda:0; by default a GPU, if any.")]


def embed(
    folder: Input,
    /,
    *,
    of: Annotated[Literal["captions", "images"], Parameter(help="What to embed.")] = "captions",
    model: Model = None,
    weights: Weights = None,
    device: Device = "auto",
    where: Where = "",
    dataset: Annotated[DatasetOptions, Parameter(name="*")] = DEFAULTS,
) -> int:
    """Compute embeddings of a folder's captions or pictures, to compare and cluster them.

    They are cached by content: only new or changed ones are computed. Ctrl-C keeps finished ones; the same
    command continues.
    """
    opened = dataset.open(folder)
    embeddings = opened.embeddings(of, model=model, weights=weights, device=device)
    result = compute(embeddings, find_rows(opened, where) if where else None)
    parts = [
        f"{result.computed:,} computed, {result.reused:,} from before, {len(result.failed):,} failed",
        f"{result.empty:,} without a caption" if result.empty else "",
        f"stopped before {result.stopped:,} more: run the same command again" if result.stopped else "",
    ]
    print_line(f"{of} by {embeddings.model}: {'; '.join(filter(None, parts))}")
    return 130 if result.stopped else 1 if result.failed else 0


def compute(embeddings: Embeddings, rows: RowNumbers | None = None) -> EmbedResult:
    """Compute missing embeddings, with progress at a terminal; prints the pictures that failed."""
    if notice := embeddings.notice():
        print_line(notice)
    missing = embeddings.missing(rows)
    if missing:
        embeddings.load(_progress_lines())
    with edit_progress(missing) as progress:
        result = embeddings.compute(progress, rows=rows)
    kinds = Counter(reason.partition(":")[0] for _, reason in result.failed)
    if kinds:
        counts = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
        print_error(f"{plural(len(result.failed), 'picture')} cannot be embedded: {counts}")
    for key, reason in result.failed[:_SHOWN]:
        print_error(f"{printable(key)}: {printable(reason)}")
    return result


def _progress_lines() -> Say:
    """Prints the lines of a download, the first and then some of those that follow."""
    printed = 0.0

    def say(line: str) -> None:
        nonlocal printed
        if (now := time.monotonic()) - printed >= _INTERVAL:
            printed = now
            print_line(line)

    return say
