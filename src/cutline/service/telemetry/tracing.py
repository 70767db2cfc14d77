"""What requests, captions and questions to models tell those who trace: nothing, unless configured."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Final, Literal, TypeAlias

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cutline.interfaces import Captioner
from cutline.service.telemetry.metrics import METHODS

Kind: TypeAlias = Literal["server", "internal", "client", "consumer"]
Attributes: TypeAlias = Mapping[str, str | int | list[str]]


_QUIET: Final = frozenset({"/health", "/ready", "/metrics"})
_OF_A_TRACE: Final = ("traceparent", "tracestate")


class Span:
    """A piece of work that is under way; this one is not told to anybody."""

    def note(self, attributes: Attributes) -> None:
        """Add what was found out."""

    def rename(self, name: str) -> None:
        """Call it by a better name."""

    def fail(self, kind: str) -> None:
        """It went wrong; ``kind`` is a short, stable word."""


_UNTOLD: Final = Span()


class Tracing:
    """Tells nobody of anything."""

    is_on = False

    def open(self) -> None:
        """Begin to tell."""

    @contextlib.contextmanager
    def span(
        self, name: str, kind: Kind = "internal", *, parent: Mapping[str, str] | None = None
    ) -> Iterator[Span]:
        """A piece of work within the one that is under way here, or in ``parent``: its trace's headers."""
        del name, kind, parent
        yield _UNTOLD

    def headers(self) -> dict[str, str]:
        """What makes others' work part of what is under way here: W3C's traceparent."""
        return {}

    def around(self, captioner: Captioner) -> Captioner:
        """The captioner, each question to which is told."""
        return captioner

    def close(self) -> None:
        """Tell what is left; may take a few seconds."""


class TracedRequests:
    """Tells of requests by their route, as paths hold names; not of those that ask whether all is well."""

    def __init__(self, app: ASGIApp, *, tracing: Tracing) -> None:
        self._app, self._tracing = app, tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _QUIET:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        parent = {name: headers[name] for name in _OF_A_TRACE if name in headers}
        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        with self._tracing.span(method, "server", parent=parent) as span:

            async def watched(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.note({"http.response.status_code": message["status"]})
                    if message["status"] >= 500:
                        span.fail(str(message["status"]))
                await send(message)

            span.note({"http.request.method": method, "url.scheme": scope["scheme"]})
            try:
                await self._app(scope, receive, watched)
            finally:
                route = getattr(scope.get("route"), "path", None)
                if route is not None:
                    span.note({"http.route": route})
                    span.rename(f"{method} {route}")
