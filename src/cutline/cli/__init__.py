"""The command line: one module per command, none imported before it is called."""

from __future__ import annotations

import _thread
import contextlib
import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Sequence

__all__ = ["main"]

EXIT_SECONDS = 5.0  # for threads that are left, and for what libraries do at the exit


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code (see docs/cli.md).

    Without ``arguments`` this is the program itself, which may have to exit at once.
    """
    if arguments is None:
        _prepare()
    from cutline.cli.app import run
    from cutline.terminal import escape_tracebacks

    if arguments is None:
        escape_tracebacks()
        _keep_interrupts()
    if arguments is None and signal.getsignal(signal.SIGINT) is _exit_at_once:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # from here on it is caught
    code = run(list(sys.argv[1:] if arguments is None else arguments))
    if arguments is None:
        _end_soon(code)
    if arguments is None and any(
        thread.name.startswith(("batch-", "cutline-background")) for thread in threading.enumerate()
    ):
        # A model is generating: torch aborts a program that ends in the usual way now.
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    return code


def _prepare() -> None:
    """Set up the process; Ctrl-C while modules are imported ends it without a traceback."""
    if signal.getsignal(signal.SIGINT) in {signal.default_int_handler, signal.SIG_DFL}:
        signal.signal(signal.SIGINT, _exit_at_once)
    from cutline import standard_output
    from cutline.cli import streams
    from cutline.garbage_collection import collect_rarely

    streams.prepare()
    faulthandler.enable(2)  # else a crash within a library's compiled code ends without a line
    collect_rarely()
    standard_output.is_ours.set(True)


def _end_soon(code: int) -> None:
    """Python waits for threads, which a plug-in's may never end: everything is written, so not for long."""
    from cutline.garbage_collection import stop_collecting

    last = threading.Timer(EXIT_SECONDS, os._exit, (code,))
    last.daemon = True
    last.start()
    stop_collecting()


def _keep_interrupts() -> None:
    """Ctrl-C while an object is destroyed would raise nothing: it is as if it came a moment later."""
    others = sys.unraisablehook

    def raised(problem: sys.UnraisableHookArgs) -> None:
        if problem.exc_type is KeyboardInterrupt:
            # A moment later, as an interrupt in here would be lost too.
            again = threading.Timer(0.01, _thread.interrupt_main)
            again.daemon = True
            again.start()
        else:
            others(problem)

    sys.unraisablehook = raised


def _exit_at_once(number: int, _: object) -> None:
    os._exit(128 + number)
