"""ASGI middleware that counts and traces every request by its route: paths hold names."""

from __future__ import annotations

import logging
import re
import secrets
import time
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cutline.service.telemetry.metrics import Metrics
from cutline.service.telemetry.tracing import SpanKind, Tracing, set_error

_log = logging.getLogger("cutline.service")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Those that get a label of their own: clients can write anything there."""
_UNTRACED: Final = frozenset({"/health", "/ready", "/metrics"})  # probes
_TRACE_HEADERS: Final = ("traceparent", "tracestate")
REQUEST_ID: Final = "x-request-id"
_REQUEST_ID: Final = re.compile(r"[\w.:=+/@-]{1,200}", re.ASCII)


class RequestMetrics:
    """Counts every request, refused ones too, and logs these at ``debug``; with ``access_log`` all.

    Each has an id, the client's own or a new one, which its response and its line in the log bear.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics, access_log: bool) -> None:
        self._app, self._metrics, self._access_log = app, metrics, access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0
        request_id = _request_id(Headers(scope=scope).get(REQUEST_ID, ""))

        async def send_counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        try:
            await self._app(scope, receive, send_counted)
        finally:
            route = _route(scope) or "none"
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.requests.labels(method, route, status or "gone").inc()
            seconds = time.perf_counter() - started
            self._metrics.seconds.labels(route).observe(seconds)
            if self._access_log and scope["path"] not in _UNTRACED:
                client = (scope.get("client") or ("-",))[0]
                key = scope.get("cutline.key", "-")
                values = (method, route, status or "gone", seconds, client, key, request_id)
                _log.info("request method=%s route=%s status=%s seconds=%.3f client=%s key=%s id=%s", *values)
            elif status >= 400:
                message = "request refused method=%s route=%s status=%d id=%s"
                _log.debug(message, method, route, status, request_id)


class Prefix:
    """Serves all paths below ``root`` too: a proxy may hand on the path with or without its prefix."""

    def __init__(self, app: ASGIApp, *, root: str) -> None:
        self._app, self._root = app, root.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] == "http" and (path == self._root or path.startswith(self._root + "/")):
            raw = scope.get("raw_path") or b""
            rest = raw[len(self._root) :] if raw.startswith(self._root.encode()) else raw
            scope = {**scope, "path": path[len(self._root) :] or "/", "raw_path": rest or b"/"}
        await self._app(scope, receive, send)


class RequestSpans:
    """A span for each request but those of probes, within the client's trace if it sends one."""

    def __init__(self, app: ASGIApp, *, tracing: Tracing) -> None:
        self._app, self._tracing = app, tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _UNTRACED:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        parent = {name: headers[name] for name in _TRACE_HEADERS if name in headers}
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        attributes = {"http.request.method": method, "url.scheme": scope["scheme"]}
        with self._tracing.span(method, SpanKind.SERVER, attributes, parent=parent) as span:

            async def send_traced(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= 500:
                        set_error(span, str(message["status"]))
                await send(message)

            try:
                await self._app(scope, receive, send_traced)
            finally:
                if route := _route(scope):
                    span.set_attribute("http.route", route)
                    span.update_name(f"{method} {route}")


def _request_id(given: str) -> str:
    return given if _REQUEST_ID.fullmatch(given) else f"req_{secrets.token_hex(12)}"


def _route(scope: Scope) -> str | None:
    """The pattern of the route that matched; the router leaves it in the scope."""
    route = scope.get("route")
    return str(route.path) if route is not None else None


class SlashAtEnd:
    """Serves a path with a slash at its end as the one without: many clients do not follow a redirect."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (path := scope["path"]).endswith("/") and path != "/":
            raw = (scope.get("raw_path") or b"").rstrip(b"/")
            scope = {**scope, "path": path.rstrip("/") or "/", "raw_path": raw or b"/"}
        await self._app(scope, receive, send)
