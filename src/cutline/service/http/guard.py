"""What stands before every request: the name, the origin, the key, and the size of what is sent."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cutline.service.errors import written
from cutline.service.http.bodies import Body, Lobby, busy, too_large
from cutline.service.settings import Settings

_log = logging.getLogger("cutline.service")

_OPEN: Final = frozenset({"/health"})  # for probes, which have no key
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""Sent with every answer that does not set its own."""


class Guard:
    """Refuses what must not be looked at, and lets no exception out.

    ``pages`` are the paths of the page for browsers. They hold no data, and a browser can send a key
    only when it has them: they are given without one.
    """

    def __init__(
        self, app: ASGIApp, *, settings: Settings, lobby: Lobby, pages: frozenset[str] = frozenset()
    ) -> None:
        self._app = app
        self._lobby = lobby
        self._max_body = settings.max_body
        key = settings.service_key
        self._key = key.get_secret_value().encode() if key else None
        self._pages = pages
        own = {"localhost", "127.0.0.1", "[::1]", settings.host.lower(), f"[{settings.host.lower()}]"}
        # With a key a foreign page can do nothing, and without one on an open address everybody may come.
        anyone = settings.service_key is not None or not settings.is_loopback
        self._named = {name.lower() for name in settings.allowed_host}
        self._hosts = None if anyone and not self._named else own | self._named

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "websocket":  # there are none, and whoever knocks gets no answer
                await send({"type": "websocket.close", "code": 1008})
                return
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        body = Body(receive, self._lobby, most=self._max_body, empty=not _has_body(headers))
        answer = _Answer(send, body)
        try:
            self._check(scope, headers, body)
            await self._app(scope, body.receive, answer.send)
        except HTTPException as error:
            await answer.instead(scope, receive, error)
        except asyncio.CancelledError:  # the service stops, and has waited for this answer long enough
            await answer.instead(scope, receive, _stopping())
        except ClientDisconnect:
            _log.debug("gone method=%s path=%s", scope["method"], scope["path"])
        except Exception:  # noqa: BLE001 - the last place that can say so in our own words
            _log.exception("unexpected method=%s path=%s", scope["method"], scope["path"])
            await answer.instead(scope, receive, HTTPException(500, "internal error"))
        finally:
            body.leave()

    def _check(self, scope: Scope, headers: Headers, body: Body) -> None:
        """Raises HTTPException 400, 401, 403, 413 or 503."""
        host = headers.get("host", "")
        if self._hosts is not None and _name(host) not in self._hosts:
            raise HTTPException(403, "this name is not served here")
        origin = headers.get("origin")
        if origin is not None and not _same(origin, host, self._named):
            raise HTTPException(403, "requests of other sites are not answered")
        path = scope["path"]
        opened = path in _OPEN or (path in self._pages and scope["method"] in {"GET", "HEAD"})
        if self._key is not None and not opened:
            self._check_key(headers, self._key)
        length = headers.get("content-length")
        if length is not None and not (length.isascii() and length.isdigit()):
            raise HTTPException(400, "Content-Length is no number")
        if length is not None and (len(length) > 18 or int(length) > self._max_body):
            raise too_large(self._max_body)
        if not body.whole and self._lobby.full:
            raise busy()

    def _check_key(self, headers: Headers, key: bytes) -> None:
        """Raises HTTPException 401, unless the key came as a bearer token or as X-API-Key.

        Compared in constant time.
        """
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given = (token if scheme.lower() == "bearer" else headers.get("x-api-key", "")).strip()
        if not hmac.compare_digest(given.encode(), key):
            how = "a key is needed, as Authorization: Bearer KEY or as X-API-Key"
            wrong = {"WWW-Authenticate": "Bearer"}
            raise HTTPException(401, "the key is not accepted" if given else how, headers=wrong)


class _Answer:
    """An answer on its way out, with the headers that every answer has."""

    def __init__(self, send: Send, body: Body) -> None:
        self._send, self._body = send, body
        self._started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            if not self._body.whole:
                headers["Connection"] = "close"
        elif not message.get("more_body", False) and not self._body.whole:
            await self._send({**message, "more_body": True})
            await self._body.drain()
            message = {"type": "http.response.body", "body": b""}
        await self._send(message)

    async def instead(self, scope: Scope, receive: Receive, error: HTTPException) -> None:
        """This answer, unless another has begun: that one is cut, and its reader can tell."""
        if not self._started:
            await written(scope["path"], error)(scope, receive, self.send)


def _stopping() -> HTTPException:
    return HTTPException(503, "the service stops: come again", headers={"Retry-After": "5"})


def _has_body(headers: Headers) -> bool:
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def _name(host: str) -> str:
    """The name in a Host header, without its port."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower()


def _same(origin: str, host: str, named: Collection[str]) -> bool:
    """Whether a page of ours asks: by the name that was asked, or, through a proxy, by one of ours."""
    try:
        parts = urlsplit(origin)
        return parts.netloc.lower() == host.lower() or parts.hostname in named
    except ValueError:
        return False
