"""The progress of a run, and the hook that receives it."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from cutline.engine.prices import Prices
    from cutline.engine.stats import RunStats
    from cutline.records import Slowdown

PROGRESS_EVERY = 0.1  # seconds


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A moment of a run. ``eta`` in seconds, ``rate`` in pictures a second, ``cost`` in US dollars.

    Counts, tokens and cost are those of all runs for this output together. ``in_flight`` pictures are
    with the model, ``loading`` are being downloaded. ``waiting_for`` names what the first picture waits
    for, such as a model that is being loaded; ``slowed`` what holds requests back at the time. ``workers``
    of a cluster are on this many ``nodes``; 0 for a run in this process.
    """

    total: int | None = None
    done: int = 0
    captions: int = 0
    skips: int = 0
    failures: int = 0
    resumed: int = 0
    in_flight: int = 0
    loading: int = 0
    slots: int = 0
    rate: float = 0.0
    eta: float | None = None
    tokens: int = 0
    cost: float | None = None
    seconds: float = 0.0
    waiting_for: str = ""
    slowed: str = ""
    workers: int = 0
    nodes: int = 0


ProgressHook: TypeAlias = Callable[[Progress], None]


class Rate:
    """Pictures per second over the last seconds of work."""

    def __init__(self, window: float = 15.0) -> None:
        self._window = window
        self._points: collections.deque[tuple[float, int]] = collections.deque([(time.monotonic(), 0)])

    def update(self, count: int) -> float:
        now = time.monotonic()
        self._points.append((now, count))
        while len(self._points) > 2 and now - self._points[0][0] > self._window:
            self._points.popleft()
        start, first = self._points[0]
        return (count - first) / (now - start) if now > start else 0.0


class Workload(Protocol):
    """What is under way at the moment."""

    @property
    def in_flight(self) -> int: ...

    @property
    def loading(self) -> int: ...

    @property
    def slots(self) -> int: ...

    @property
    def slowdown(self) -> Slowdown: ...

    @property
    def workers(self) -> int: ...

    @property
    def nodes(self) -> int: ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ProgressReporter:
    """Calls a hook with the progress of a run, about ten times a second.

    ``first`` samples were in the output before; ``total`` returns None until it is known.
    """

    hook: ProgressHook
    stats: RunStats
    workload: Workload
    prices: Prices
    first: int
    total: Callable[[], int | None]
    rate: Rate = dataclasses.field(default_factory=Rate)
    start: float = dataclasses.field(default_factory=time.monotonic)

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            self.report()
            await asyncio.sleep(PROGRESS_EVERY)

    def report(self) -> None:
        stats, workload, total = self.stats, self.workload, self.total()
        done = self.first + stats.resumed.total + stats.fresh.total
        known, rate = stats.known, self.rate.update(stats.fresh.total)
        self.hook(
            Progress(
                total=total,
                done=done,
                captions=known.captions,
                skips=known.skips,
                failures=known.failures,
                resumed=self.first + stats.resumed.total,
                in_flight=workload.in_flight,
                loading=workload.loading,
                slots=workload.slots,
                rate=rate,
                eta=(total - done) / rate if total is not None and rate > 0 else None,
                tokens=stats.spent.usage.total,
                cost=self.prices.of(stats.spent),
                seconds=time.monotonic() - self.start,
                slowed=workload.slowdown.now,
                workers=workload.workers,
                nodes=workload.nodes,
            )
        )
