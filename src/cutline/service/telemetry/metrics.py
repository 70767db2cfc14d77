"""The service's metrics, for Prometheus."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from cutline.process_ids import is_gone
from cutline.records import Caption, Failure, Outcome

FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable of the folder in which several workers share their counts."""
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """Metrics of one process, or of all workers if they share a folder."""

    def __init__(self) -> None:
        self._registry = own = CollectorRegistry()
        text, labels = "Requests by method, route and status.", ("method", "route", "status")
        self.requests = Counter("cutline_requests", text, labels, registry=own)
        text = "Time to the whole response."
        self.seconds = Histogram("cutline_request_seconds", text, ("route",), registry=own, buckets=_BUCKETS)
        text = "Pictures by outcome: captioned, or the kind of failure."
        self.pictures = Counter("cutline_pictures", text, ("outcome",), registry=own)
        self.tokens = Counter("cutline_tokens", "Tokens as counted by models.", ("kind",), registry=own)
        self._summed: list[tuple[Gauge, Callable[[], float]]] = []
        self._shared: list[tuple[Gauge, Callable[[], float]]] = []

    def watch(self, name: str, text: str, value: Callable[[], float], *, shared: bool = False) -> None:
        """Export a value that is read for each scrape.

        Of several workers it is their sum, or, if it is ``shared``, the value of the one that is scraped.
        """
        mode: Literal["mostrecent", "livesum"] = "mostrecent" if shared else "livesum"
        gauge = Gauge(f"cutline_{name}", text, registry=self._registry, multiprocess_mode=mode)
        (self._shared if shared else self._summed).append((gauge, value))

    def record(self, outcome: Outcome) -> None:
        """Count a picture."""
        if isinstance(outcome, Caption):
            self.pictures.labels("captioned").inc()
            usage = outcome.usage
            self.tokens.labels("prompt").inc(usage.prompt_tokens)
            self.tokens.labels("completion").inc(usage.completion_tokens)
        else:
            self.pictures.labels(outcome.kind if isinstance(outcome, Failure) else "skipped").inc()

    async def publish(self) -> None:
        """Write the values where other workers find them, until cancelled."""
        while FOLDER in os.environ:
            _update(self._summed)
            await asyncio.sleep(2)

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        _update(self._summed + self._shared)
        if FOLDER not in os.environ:
            return generate_latest(self._registry)
        _remove_dead(Path(os.environ[FOLDER]))
        combined = CollectorRegistry()
        MultiProcessCollector(combined)  # type: ignore[no-untyped-call]
        return generate_latest(combined)


def _update(gauges: list[tuple[Gauge, Callable[[], float]]]) -> None:
    for gauge, value in gauges:
        gauge.set(value())


def _remove_dead(folder: Path) -> None:
    """Remove the gauges of killed workers: they have no slots and work on nothing."""
    for file in folder.glob("gauge_live*_*.db") if os.name != "nt" else ():  # signal 0 would end them there
        if is_gone(int(file.stem.rpartition("_")[2])):
            file.unlink(missing_ok=True)
