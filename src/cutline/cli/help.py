"""The short help of commands with the options of a run; ``--help-all`` shows all of them."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from cyclopts.help import DefaultFormatter, HelpPanel
    from rich.console import Console, ConsoleOptions

ALL: Final = "--help-all"
GROUPS: Final = (
    *("Model", "Local models", "Local servers", "Prompt", "Checks", "Filters"),
    *("Input", "Output", "Pictures", "Run", "Cluster", "Before and during"),
)
"""Headings of the options of a run, in the order of the help."""

_USUAL: Final = {
    *("--model", "--endpoint", "--api-key", "--step", "--plugin", "--max-tokens", "--temperature"),
    *(
        "--device",
        "--start",
        "--prompt",
        "--language",
        "--schema",
        "--trigger",
        "--filter",
        "--check",
        "--keep",
        "--dedup",
    ),
    *("--image-limit", "--image-column", "--output-format", "--existing"),
    *("--max-concurrent-requests", "--max-cost", "--retry-failed", "--preview", "--estimate"),
    *("--report", "--move-to", "--move-failed", "--move-back", "--list"),
    *("--verbose", "--quiet", "--blind", "--references"),
}


class ShortHelp:
    """Prints the panels of a command, of the options of a run only the usual ones; counts the others."""

    def __init__(self) -> None:
        self.hidden = 0

    @functools.cached_property
    def _formatter(self) -> DefaultFormatter:
        from cyclopts.help import DefaultFormatter  # a command that runs needs none of it

        return DefaultFormatter()

    def render_usage(self, console: Console, options: ConsoleOptions, usage: Any) -> None:
        self._formatter.render_usage(console, options, usage)

    def render_description(self, console: Console, options: ConsoleOptions, description: Any) -> None:
        self._formatter.render_description(console, options, description)

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        entries = list(panel.entries)
        if panel.title in GROUPS:
            entries = [entry for entry in entries if not _USUAL.isdisjoint(entry.positive_names)]
            self.hidden += len(panel.entries) - len(entries)
        if entries:
            self._formatter(console, options, panel.copy(entries=entries))
