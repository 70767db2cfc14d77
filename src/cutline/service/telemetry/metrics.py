"""What the service counts, for Prometheus."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cutline.records import Caption, Failure, Outcome

FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable of the folder in which several workers count together."""
_log = logging.getLogger("cutline.service")
_REFUSED: Final = 400
TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Those that are named; clients can write anything there."""
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Meters:
    """Counts of one process, or of all workers when they share a folder."""

    def __init__(self) -> None:
        self._registry = own = CollectorRegistry()
        self.requests = Counter(
            "cutline_requests", "Requests answered.", ("method", "route", "status"), registry=own
        )
        self.seconds = Histogram(
            "cutline_request_seconds", "Time to the whole answer.", ("route",), registry=own, buckets=_SECONDS
        )
        self.pictures = Counter(
            "cutline_pictures", "Pictures by what became of them: captioned, or the kind of failure.",
            ("outcome",), registry=own,
        )  # fmt: skip
        self.tokens = Counter("cutline_tokens", "Tokens as models counted them.", ("kind",), registry=own)
        self._own: list[tuple[Gauge, Callable[[], float]]] = []
        self._shared: list[tuple[Gauge, Callable[[], float]]] = []

    def watch(self, name: str, text: str, value: Callable[[], float], *, shared: bool = False) -> None:
        """Show a number that is looked up when somebody asks.

        Of several workers it is their sum; or, where it is ``shared``, what the one who was asked found.
        """
        mode: Literal["mostrecent", "livesum"] = "mostrecent" if shared else "livesum"
        gauge = Gauge(f"cutline_{name}", text, registry=self._registry, multiprocess_mode=mode)
        (self._shared if shared else self._own).append((gauge, value))

    def note(self, outcome: Outcome) -> None:
        """Count a picture."""
        if isinstance(outcome, Caption):
            self.pictures.labels("captioned").inc()
            usage = outcome.usage
            self.tokens.labels("prompt").inc(usage.prompt_tokens)
            self.tokens.labels("completion").inc(usage.completion_tokens)
        else:
            self.pictures.labels(outcome.kind if isinstance(outcome, Failure) else "skipped").inc()

    async def keep_counting(self) -> None:
        """Leave the looked-up numbers where other workers find them, for ever."""
        while FOLDER in os.environ:
            _look_up(self._own)
            await asyncio.sleep(2)

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        _look_up(self._own + self._shared)
        if FOLDER not in os.environ:
            return generate_latest(self._registry)
        _forget_the_dead(Path(os.environ[FOLDER]))
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)


def _look_up(gauges: list[tuple[Gauge, Callable[[], float]]]) -> None:
    for gauge, value in gauges:
        gauge.set(value())


def _forget_the_dead(folder: Path) -> None:
    """What a worker that was killed had under way is so no more, and it has no slots."""
    for file in folder.glob("gauge_live*_*.db"):
        if not _lives(int(file.stem.rpartition("_")[2])):
            file.unlink(missing_ok=True)


def _lives(process: int) -> bool:
    if os.name == "nt":  # where signal 0 would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


class Metered:
    """Counts every request, refused ones too, by the route's pattern: paths hold names."""

    def __init__(self, app: ASGIApp, *, meters: Meters) -> None:
        self._app, self._meters = app, meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in METHODS else "other"
            self._meters.requests.labels(method, route, status or "gone").inc()
            self._meters.seconds.labels(route).observe(time.perf_counter() - began)
            if status >= _REFUSED:
                _log.debug("refused method=%s route=%s status=%d", method, route, status)
