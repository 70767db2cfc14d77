"""What is printed at a terminal: text from files, models and servers cannot act on it."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
import warnings
from collections.abc import Iterable
from typing import Any

import rich.console
from rich.segment import Segment
from rich.text import Text

from cutline.formatting import visible


class Console(rich.console.Console):
    """Rich's console, with control characters of the printed text shown as escapes."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(visible(text), **options)

    def render(
        self, renderable: rich.console.RenderableType, options: rich.console.ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        # Before the layout, so that widths are right; the segments after it, whatever they are made of.
        if isinstance(renderable, Text):
            renderable = _escaped(renderable)
        for segment in super().render(renderable, options):
            shown = segment.text if segment.control else visible(segment.text)
            yield segment if shown is segment.text else Segment(shown, segment.style)


def _escaped(text: Text) -> Text:
    shown = visible(text.plain)
    if shown == text.plain:
        return text
    layout: dict[str, Any] = {"justify": text.justify, "overflow": text.overflow, "no_wrap": text.no_wrap}
    return Text(shown, style=text.style, end=text.end, **layout)


def print_line(text: str) -> None:
    """Print on the error stream; the output stream is for results."""
    print(visible(text), file=sys.stderr)  # noqa: T201 - the program's output


def print_error(message: str) -> None:
    """Print a line in the program's name on the error stream."""
    print_line(f"cutline: {message}")


def escape_tracebacks() -> None:
    """Escape control characters also in what Python itself prints: tracebacks, warnings and others' logs."""

    def formatted_warning(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
    ) -> str:
        return visible(format_warning(message, category, filename, lineno, line))

    def in_thread(ended: threading.ExceptHookArgs) -> None:
        name = ended.thread.name if ended.thread is not None else "?"
        _print_traceback(f"exception in thread {name}:", ended.exc_value)

    format_warning = warnings.formatwarning
    warnings.formatwarning = formatted_warning
    threading.excepthook = in_thread
    sys.excepthook = lambda _, error, __: _print_traceback("", error)
    sys.unraisablehook = lambda found: _print_traceback("exception ignored:", found.exc_value)
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(LogFormatter())
        # What Pillow logs of a damaged picture is told once, as the picture's failure.
        logging.lastResort.addFilter(lambda record: not record.name.startswith("PIL"))
        logging.getLogger().addHandler(logging.lastResort)  # else ``logging.warning`` adds one of its own


def _print_traceback(heading: str, error: BaseException | None) -> None:
    lines = traceback.format_exception(error) if error is not None else []
    print_line("\n".join(filter(None, (heading, "".join(lines).rstrip()))))


class LogFormatter(logging.Formatter):
    """Log lines in which control characters are escaped."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))
