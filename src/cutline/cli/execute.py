"""A job run for a person at a terminal: signals, progress, summary, exit code."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from cutline.cli.common_options import Saying
from cutline.cli.summary import failed_in_a_line, first_rows, summary
from cutline.credentials import Secret
from cutline.display import Display
from cutline.engine.cancellation import Stop
from cutline.engine.progress import Progress, ProgressHook
from cutline.engine.report import Interrupted, Report
from cutline.engine.run import run_job
from cutline.errors import CutlineError, SinkError
from cutline.interfaces import Source
from cutline.job import Job


def execute(
    job: Job,
    *,
    key: Secret | None,
    saying: Saying,
    source: Source | None = None,
    failures: Path | None = None,
    opening: str = "",
    ended: Callable[[Report | SinkError], None] = lambda _: None,
) -> int:
    """Run the job and say how it went; returns the exit code.

    ``source`` and ``failures`` as for ``run_job``; ``opening`` is said first, and ``ended`` is told
    how it went, too.
    """
    display = Display(quiet=saying.quiet)
    try:
        with display:
            log(verbose=saying.verbose)  # now, so that its lines go around the live one
            show = _opened(opening, display.show)
            report = asyncio.run(_run(job, key, display, show, source, failures))
    except SinkError as error:
        ended(error)
        print(f"cutline: {error}", file=sys.stderr)  # noqa: T201 - the command line speaks
        return 4
    ended(report)
    if not saying.quiet:
        if job.output_path is None and report.stopped is None:
            first_rows(report)
        summary(job, report)
    elif report.stopped is not None:
        print(f"cutline: stopped: {report.stopped}", file=sys.stderr)  # noqa: T201 - the command line speaks
    elif report.exit_code:
        print(f"cutline: {failed_in_a_line(report)}", file=sys.stderr)  # noqa: T201 - the command line speaks
    return report.exit_code


async def _run(
    job: Job,
    key: Secret | None,
    display: Display,
    show: ProgressHook,
    source: Source | None,
    failures: Path | None,
) -> Report:
    stop = Stop()
    with signals(stop, display):
        return await run_job(job, source=source, key=key, progress=show, stop=stop, failures=failures)


def _opened(opening: str, show: ProgressHook) -> ProgressHook:
    """``show``, and before the first progress the opening line: a job that is refused says only why."""
    unsaid = [opening] if opening else []

    def hook(progress: Progress) -> None:
        if unsaid:
            print(f"cutline: {unsaid.pop()}", file=sys.stderr)  # noqa: T201 - the command line speaks
        show(progress)

    return hook


class Stopping(Protocol):
    """What can be asked to end."""

    def request(self, reason: CutlineError) -> None: ...


@contextlib.contextmanager
def signals(stop: Stopping, display: Display) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM stops the run cleanly, the second at once."""
    loop = asyncio.get_running_loop()
    asked = threading.Event()

    def stop_soon(number: int) -> None:
        display.say("stopping; requests under way get a few seconds (again: stop at once)")
        stop.request(Interrupted(number))

    def handle(number: int, _: object) -> None:
        # Not through the loop: a captioner that blocks it must not keep the second Ctrl-C from working.
        if asked.is_set():
            os._exit(128 + number)
        asked.set()
        loop.call_soon_threadsafe(stop_soon, number)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def log(*, verbose: bool) -> None:
    """Send cutline's log to the error stream: everything, or only what needs attention."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("cutline")
    logger.handlers = [handler]
    logger.setLevel(logging.DEBUG if verbose else logging.WARNING)
    logger.propagate = False
