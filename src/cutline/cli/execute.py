"""Run a job at a terminal: signals, progress, summary, exit code."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

from cutline.cli.common_options import ActionOptions, Verbosity
from cutline.cli.streams import optional_output
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
from cutline.terminal import LogFormatter, print_error

_T = TypeVar("_T")


def run_action(job: Job, key: Secret | None, options: ActionOptions) -> int:
    """Preview, estimate or run the job; returns the exit code."""
    if options.preview is not None or options.estimate:
        from cutline.cli.preview import estimate, preview

        return estimate(job, key) if options.preview is None else preview(job, key, options.preview)
    return execute(job, key=key, verbosity=options)


def execute(
    job: Job,
    *,
    key: Secret | None,
    verbosity: Verbosity,
    source: Source | None = None,
    failures: Path | None = None,
    headline: str = "",
    ended: Callable[[Report | SinkError], None] = lambda _: None,
) -> int:
    """Run the job and print its result; returns the exit code.

    ``source`` and ``failures`` as for ``run_job``; ``headline`` is printed before the first progress, and
    ``ended`` is called with the result.
    """
    try:
        report = run_displayed(
            lambda progress, stop: run_job(
                job, source=source, key=key, progress=progress, stop=stop, failures=failures
            ),
            verbosity,
            headline,
        )
    except SinkError as error:
        ended(error)
        print_error(str(error))
        return 4
    ended(report)
    if not verbosity.quiet:
        if job.output_path is None and report.stopped is None:
            with optional_output():
                first_rows(report)
        summary(report)
    elif report.stopped is not None:
        print_error(f"stopped: {report.stopped}")
    elif report.exit_code:
        print_error(failed_in_a_line(report))
    return report.exit_code


def run_displayed(
    work: Callable[[ProgressHook, Stop], Coroutine[Any, Any, _T]], verbosity: Verbosity, headline: str = ""
) -> _T:
    """Run ``work`` with progress, log and signal handling."""
    display = Display(quiet=verbosity.quiet)
    pending = [headline] if headline else []

    def show(progress: Progress) -> None:
        if pending:  # before the first progress, so that a refused job prints only its error
            print_error(pending.pop())
        display.show(progress)

    async def run() -> _T:
        stop = Stop()
        with signals(stop, display):
            return await work(show, stop)

    with display:
        log(verbose=verbosity.verbose)  # now, so that its lines go around the live one
        return asyncio.run(run())


def _stop_signals() -> Iterator[signal.Signals]:
    yield from (signal.SIGINT, signal.SIGTERM)
    hangup = getattr(signal, "SIGHUP", None)  # Windows has none
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:  # as nohup sets it
        yield hangup


class Stoppable(Protocol):
    """A run that can be stopped early."""

    def request(self, reason: CutlineError) -> None: ...


@contextlib.contextmanager
def signals(stop: Stoppable, display: Display) -> Iterator[None]:
    """The first Ctrl-C, SIGTERM or SIGHUP stops the run cleanly, the second at once."""
    loop = asyncio.get_running_loop()
    interrupted = threading.Event()

    def stop_soon(number: int) -> None:
        display.say("stopping; running requests get a few seconds (interrupt again to stop at once)")
        stop.request(Interrupted(number))

    def handle(number: int, _: object) -> None:
        # Not through the loop: the second Ctrl-C must work even if a captioner blocks it.
        if interrupted.is_set():
            os._exit(128 + number)
        interrupted.set()
        loop.call_soon_threadsafe(stop_soon, number)

    before = {number: signal.signal(number, handle) for number in _stop_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def log(*, verbose: bool) -> None:
    """Send cutline's log to the error stream: everything, or warnings only."""
    handler = logging.StreamHandler()
    handler.setFormatter(LogFormatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("cutline")
    logger.handlers = [handler]
    logger.setLevel(logging.DEBUG if verbose else logging.WARNING)
    logger.propagate = False
