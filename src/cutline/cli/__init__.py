"""The command line: one module per command, none imported before it is called."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code (see docs/cli.md)."""
    from cutline.cli.app import run

    return run(list(sys.argv[1:] if arguments is None else arguments))
