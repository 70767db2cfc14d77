"""The report of a run, from the output's name to the page."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable

from cutline.run_report.page import as_html
from cutline.run_report.pictures import thumbnails_of
from cutline.run_report.recorded_run import read_run


def run_report(
    output: str,
    *,
    state: str | None = None,
    allow_private: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """The page of the run that wrote ``output``; ``state`` is where its journal is, if not beside it.

    Pictures behind URLs are downloaded, those at private addresses only with ``allow_private``. ``progress``
    is as for ``read_run``.

    Raises:
        ConfigError: there is no journal of a run.
        SourceError: the journal cannot be read.
    """
    run = read_run(output, state, progress=progress)
    thumbnails = asyncio.run(thumbnails_of(run, allow_private=allow_private))
    return as_html(run, thumbnails, made=dt.datetime.now().astimezone())
