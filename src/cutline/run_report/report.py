"""Make the report of a run, from the output's name to the page."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from pathlib import Path

from cutline.run_report.page import as_html
from cutline.run_report.pictures import thumbnails_of
from cutline.run_report.recorded_run import read_run
from cutline.run_report.scores import read_scores


def run_report(
    output: str,
    *,
    state: str | None = None,
    scores: Path | None = None,
    allow_private: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """The page of the run that wrote ``output``; ``state`` is the folder of its journal, if not beside it.

    ``scores`` is a table of ``cutline eval``, shown among its measures. Pictures behind URLs are downloaded,
    those at private addresses only with ``allow_private``. ``progress`` is as for ``read_run``.

    Raises:
        ConfigError: there is no journal of a run, or the scores are not of its captions.
        SourceError: the journal cannot be read.
    """
    found = None if scores is None else read_scores(str(scores))
    run = read_run(output, state, scores=found, progress=progress)
    thumbnails = asyncio.run(thumbnails_of(run, allow_private=allow_private))
    return as_html(run, thumbnails, made=dt.datetime.now().astimezone())
