"""The command line: one module per command, none imported before it is called."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code (see docs/cli.md).

    Without ``arguments`` this is the program itself, which may have to exit at once.
    """
    from cutline import standard_output
    from cutline.cli.app import run
    from cutline.garbage_collection import collect_rarely

    if arguments is None:
        collect_rarely()
        standard_output.is_ours.set(True)
    code = run(list(sys.argv[1:] if arguments is None else arguments))
    if arguments is None and any(
        thread.name.startswith(("batch-", "cutline-background")) for thread in threading.enumerate()
    ):
        # A model is generating: torch aborts a program that ends in the usual way now.
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    return code
