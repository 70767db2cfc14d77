"""What programs and all their descendants cost together, looked at several times a second."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Iterator, Sequence

import psutil

EVERY = 0.25  # seconds between looks; what a process uses between the last one and its end is not seen


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Seconds by the clock and of the processor, and the most megabytes at once; no page counts twice."""

    wall: float
    cpu: float
    peak: float


class ProcessTree:
    """Adds up the processor time of processes that come and go below some roots."""

    def __init__(self, roots: Sequence[int]) -> None:
        self._roots = [psutil.Process(pid) for pid in roots]
        self._used: dict[tuple[int, float], tuple[float, float]] = {}
        self.peak = 0.0
        self._look(first=True)

    @property
    def cpu(self) -> float:
        """Seconds used since this was made."""
        return sum(last - first for first, last in self._used.values())

    def add(self, pid: int) -> None:
        """One more root, which has just started."""
        with contextlib.suppress(psutil.Error):
            self._roots.append(psutil.Process(pid))

    def look(self) -> None:
        self._look(first=False)

    def look_at_memory(self) -> None:
        self.peak = max(self.peak, sum(map(_memory, self._processes())) / 1e6)

    def _look(self, *, first: bool) -> None:
        for process in self._processes():
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                used = times.user + times.system
                key = (process.pid, process.create_time())
                begun = self._used[key][0] if key in self._used else used if first else 0.0
                self._used[key] = (begun, used)

    def _processes(self) -> Iterator[psutil.Process]:
        seen = set()
        for root in self._roots:
            with contextlib.suppress(psutil.Error):
                for process in (root, *root.children(recursive=True)):
                    if process.pid not in seen:
                        seen.add(process.pid)
                        yield process


def _memory(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):
        return float(process.memory_full_info().pss)
    return 0.0


@contextlib.contextmanager
def cost_of(tree: ProcessTree) -> Iterator[list[Cost]]:
    """Look at the tree until the block ends; the one cost is in the list then."""
    stop, made, begun = threading.Event(), [], time.perf_counter()

    def watch() -> None:
        rounds = 0
        while not stop.wait(EVERY):
            tree.look()
            rounds += 1
            if rounds % 8 == 0:
                tree.look_at_memory()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        stop.set()
        thread.join()
        tree.look()
    made.append(Cost(wall=time.perf_counter() - begun, cpu=tree.cpu, peak=tree.peak))
