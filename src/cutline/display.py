"""Progress of a run: a live line at a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Self

from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cutline.engine.progress import Progress, ProgressHook
from cutline.formatting import duration, money, plural, short_number
from cutline.terminal import Console

_MIN_BAR, _MAX_BAR = 8, 32
PLAIN_INTERVAL = 10.0  # seconds between lines when the error stream is not a terminal


class Display:
    """Draws progress on the error stream; the output stream is for results."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._quiet = quiet
        self._live: Live | None = None
        self._last_plain = time.monotonic() - PLAIN_INTERVAL + 2  # the first line soon
        self._start = time.monotonic()
        self._subject = ""

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._quiet:
            self._live = Live(console=self._console, refresh_per_second=8, transient=True)
            self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        if not self._quiet:
            # Wrapped between words on a terminal only: programs expect whole lines.
            self._console.print(text, markup=False, soft_wrap=not self._console.is_terminal)

    def show(self, progress: Progress) -> None:
        if self._quiet:
            return
        if self._live is not None:
            self._live.update(_bar(progress, self._console.width))
        elif self._is_new(progress.waiting_for) or time.monotonic() - self._last_plain >= PLAIN_INTERVAL:
            self._last_plain = time.monotonic()
            self._console.print(" · ".join(_parts(progress)), soft_wrap=True, markup=False)

    def _is_new(self, waiting_for: str) -> bool:
        """Whether the subject of ``waiting_for`` has changed; figures after a colon do not count."""
        subject = waiting_for.partition(":")[0]
        new = bool(subject) and subject != self._subject
        self._subject = subject or self._subject
        return new


@contextlib.contextmanager
def progress_hook(progress: bool | ProgressHook) -> Iterator[ProgressHook]:  # noqa: FBT001 - or a hook
    """The hook for a ``progress`` argument: the caller's function, or a display if it is True."""
    if not isinstance(progress, bool):
        yield progress
        return
    with Display(quiet=not progress) as display:
        yield display.show


def _bar(progress: Progress, width: int) -> Table:
    """A bar and the figures; those that do not fit are left out, the last first."""
    parts = _parts(progress)
    while len(parts) > 1 and len(" · ".join(parts)) > width - _MIN_BAR - 2:
        parts.pop()
    text = " · ".join(parts)
    bar_width = max(1, min(_MAX_BAR, width - len(text) - 2))
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=bar_width)
    grid.add_column(no_wrap=True, overflow="ellipsis")
    pulse = progress.total is None
    bar = ProgressBar(total=progress.total, completed=progress.done, width=bar_width, pulse=pulse)
    grid.add_row(bar, Text(text))
    return grid


def _parts(progress: Progress) -> list[str]:
    """The figures, most important first."""
    if progress.waiting_for:
        return [progress.waiting_for]
    total = f"/{progress.total:,}" if progress.total is not None else ""
    parts = [f"{progress.done:,}{total} done"]
    if progress.slowed:
        parts.append(progress.slowed)
    if progress.failures:
        parts.append(f"{progress.failures:,} failed")
    if progress.skips:
        parts.append(f"{progress.skips:,} skipped")
    if progress.rate:
        parts.append(f"{progress.rate:,.1f}/s" if progress.rate >= 1 else f"{progress.rate * 60:,.1f}/min")
    if progress.eta is not None:
        parts.append(f"{duration(progress.eta)} left")
    if progress.cost:
        parts.append(money(progress.cost))
    if progress.tokens:
        parts.append(f"{short_number(progress.tokens)} tokens")
    if progress.loading:
        parts.append(f"{progress.loading} downloading")
    workers = f" with {plural(progress.workers, 'worker')} on {plural(progress.nodes, 'node')}"
    parts.append(f"{progress.in_flight} in flight{workers if progress.nodes else ''}")
    return parts
