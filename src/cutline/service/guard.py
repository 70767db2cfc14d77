"""What stands before every request: the key, the origin, and the size of what is sent."""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cutline.service.settings import Settings

_OPEN = frozenset({"/health"})  # for probes, which have no key


class _TooLarge(Exception):
    """More was sent than is taken."""


class Guard:
    """Answers 401, 403 and 413 before anything else looks at a request."""

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self._app = app
        self._max_body = settings.max_body
        key = settings.api_key
        self._key = key.get_secret_value().encode() if key else None
        own = {"localhost", "127.0.0.1", "[::1]", settings.host, *settings.allowed_host}
        # With a key a foreign page can do nothing, and the service may have any name.
        self._hosts = None if settings.api_key and not settings.allowed_host else own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = self._refused(scope["path"], headers)
        if refused is not None:
            await refused(scope, receive, send)
            return
        started = False

        async def watched_send(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, self._counted(receive), watched_send)
        except _TooLarge:
            if not started:
                await self._too_large()(scope, receive, send)

    def _refused(self, path: str, headers: Headers) -> JSONResponse | None:
        if self._hosts is not None and _name(headers.get("host", "")) not in self._hosts:
            return JSONResponse({"detail": "this name is not served here"}, 403)
        origin = headers.get("origin")
        if origin is not None and not _same(origin, headers.get("host", "")):
            return JSONResponse({"detail": "requests of other sites are not answered"}, 403)
        if self._key is not None and path not in _OPEN and not self._knows(headers):
            return JSONResponse({"detail": "a key is needed"}, 401, headers={"WWW-Authenticate": "Bearer"})
        length = headers.get("content-length")
        if length is not None and not (length.isascii() and length.isdigit()):
            return JSONResponse({"detail": "Content-Length is no number"}, 400)
        return self._too_large() if length is not None and int(length) > self._max_body else None

    def _knows(self, headers: Headers) -> bool:
        """Whether the key came, as a bearer token or as X-API-Key; compared in constant time."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given = token if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        return hmac.compare_digest(given.strip().encode(), self._key or b"")

    def _too_large(self) -> JSONResponse:
        return JSONResponse({"detail": f"at most {self._max_body} bytes a request"}, 413)

    def _counted(self, receive: Receive) -> Receive:
        """Stops reading a body, whatever its length was said to be, when it gets too long."""
        left = self._max_body

        async def counted() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise _TooLarge
            return message

        return counted


def _name(host: str) -> str:
    """The name in a Host header, without its port."""
    return host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host


def _same(origin: str, host: str) -> bool:
    return urlsplit(origin).netloc == host
