"""The short help of commands with the options of a run; ``--help-all`` shows all of them."""

from __future__ import annotations

from typing import Final

from cyclopts.help import DefaultFormatter, HelpPanel
from rich.console import Console, ConsoleOptions

ALL: Final = "--help-all"
GROUPS: Final = (
    *("Model", "Local models", "Local servers", "Prompt", "Checks"),
    *("Input", "Output", "Pictures", "Run", "Before and during"),
)
"""Headings of the options of a run, in the order of the help."""

_USUAL: Final = {
    *("--model", "--endpoint", "--api-key", "--step", "--plugin", "--max-tokens", "--temperature"),
    *("--device", "--start", "--prompt", "--language", "--schema", "--trigger", "--filter"),
    *("--image-limit", "--image-column", "--output-format", "--existing"),
    *("--max-concurrent-requests", "--max-cost", "--retry-failed", "--preview", "--estimate"),
    *("--verbose", "--quiet", "--blind"),
}


class ShortHelp(DefaultFormatter):
    """Prints the panels of a command, of the options of a run only the usual ones; counts the others."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = 0

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        entries = list(panel.entries)
        if panel.title in GROUPS:
            entries = [entry for entry in entries if not _USUAL.isdisjoint(entry.positive_names)]
            self.hidden += len(panel.entries) - len(entries)
        if entries:
            super().__call__(console, options, panel.copy(entries=entries))
