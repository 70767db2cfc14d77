"""The first check of every request: host, origin, key and size, and the last exception handler."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import Response as PlainResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cutline.service.access import AccessSettings
from cutline.service.admission import Admission
from cutline.service.errors import Overloaded, ServiceError
from cutline.service.http.bodies import Body, too_large
from cutline.service.http.cors import CrossOrigin
from cutline.service.http.responses import error_event, error_response, service_error
from cutline.service.keys import Keys

_log = logging.getLogger("cutline.service")

_OPEN: Final = frozenset({"/health"})  # for probes, which have no key
_PROBES: Final = frozenset({"/health", "/ready"})  # by a pod's address, or without a host (HTTP/1.0)
_NO_UPGRADE: Final = "the body behind Upgrade was not read: send the request in HTTP/1.1 without it"
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""Sent with every response that does not set its own."""


class GuardSettings(AccessSettings, Protocol):
    """Who may call, and how much they may send."""

    @property
    def service_keys_file(self) -> Path | None: ...
    @property
    def allowed_host(self) -> tuple[str, ...]: ...
    @property
    def max_body(self) -> int: ...
    @property
    def max_pictures(self) -> int: ...


class Guard:
    """Refuses requests before they are read, and lets no exception out.

    ``pages`` are the paths of the page for browsers. They hold no data, and a browser can send a key
    only once it has them: they need none.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: GuardSettings,
        admission: Admission,
        pages: frozenset[str] = frozenset(),
    ) -> None:
        self._app = app
        self._admission = admission
        self._cors = CrossOrigin(settings.allowed_origin)
        self._max_body, self._max_pictures = settings.max_body, settings.max_pictures
        key = settings.service_key
        self._keys = Keys(key.get_secret_value() if key else None, settings.service_keys_file)
        self._pages = pages
        own = {"localhost", "127.0.0.1", "[::1]", settings.host.lower(), f"[{settings.host.lower()}]"}
        # With a key another site can do nothing; without one an open address accepts all clients.
        any_host = settings.has_key or not settings.is_loopback
        self._allowed = {name.lower() for name in settings.allowed_host}
        self._hosts = None if any_host and not self._allowed else own | self._allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "websocket":  # there are none
                await send({"type": "websocket.close", "code": 1008})
                return
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        is_json = not headers.get("content-type", "").lower().startswith("multipart/")
        pictures = self._max_pictures if is_json else None
        body = Body(receive, self._admission, limit=self._max_body, empty=not has_body, pictures=pictures)
        origin = headers.get("origin")
        cors = self._cors.headers(origin) if origin is not None and self._cors.allows(origin) else {}
        response = _Response(send, body, cors)
        try:
            self._check(scope, headers, body, is_allowed=bool(cors))
            if has_body and "upgrade" in headers:
                await _check_upgrade(body)
            if cors and scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
                preflight = PlainResponse(status_code=204, headers=self._cors.preflight(headers))
                await preflight(scope, receive, response.send)
                return
            await self._app(scope, body.receive, response.send)
        except ServiceError as error:
            await response.replace(scope, receive, error)
        except asyncio.CancelledError:  # the service stops, and has waited for this response long enough
            stopping = ServiceError(
                503, "the service is stopping: try again later", headers={"Retry-After": "5"}
            )
            await response.replace(scope, receive, stopping)
        except ClientDisconnect:
            _log.debug("client disconnected method=%s path=%s", scope["method"], scope["path"])
        except Exception as error:  # noqa: BLE001 - the last handler
            found = service_error(error)
            if found.status == 500:
                _log.exception("unexpected error method=%s path=%s", scope["method"], scope["path"])
            await response.replace(scope, receive, found)
        finally:
            body.close()

    def _check(self, scope: Scope, headers: Headers, body: Body, *, is_allowed: bool) -> None:
        """Raises ServiceError 400, 401, 403, 413 or 503."""
        host = headers.get("host", "")
        name, colon, port = host.rpartition(":")
        name = name if colon and port.isdigit() else host
        path = scope["path"]
        is_probe = path in _PROBES and scope["method"] in {"GET", "HEAD"} and _is_address(name)
        if self._hosts is not None and not is_probe and name.lower() not in self._hosts:
            raise ServiceError(403, "this host name is not served here")
        origin = headers.get("origin")
        if origin is not None and not is_allowed and not _is_own_origin(origin, host, self._allowed):
            raise ServiceError(403, "requests from other sites are refused")
        is_page = path in self._pages and scope["method"] in {"GET", "HEAD"}
        # A preflight comes without the key; other questions for a path's methods are answered alike.
        is_open = path in _OPEN or is_page or scope["method"] == "OPTIONS"
        if self._keys.are_needed and not is_open:
            scope["cutline.key"] = _key_name(headers, self._keys)
        if headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
            raise ServiceError(415, "compressed bodies are not accepted: send it without Content-Encoding")
        length = headers.get("content-length")
        if length is not None and not (length.isascii() and length.isdigit()):
            raise ServiceError(400, "Content-Length is not a number")
        if length is not None and (len(length) > 18 or int(length) > self._max_body):
            raise too_large(self._max_body)
        if not body.is_complete and self._admission.is_full:
            raise Overloaded


class _Response:
    """A response on its way out, with the headers that every response has."""

    def __init__(self, send: Send, body: Body, cors: Mapping[str, str]) -> None:
        self._send, self._body, self._cors = send, body, cors
        self._started = self._is_stream = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            headers = MutableHeaders(scope=message)
            self._is_stream = headers.get("content-type", "").startswith("text/event-stream")
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            if self._cors:
                headers.update(self._cors)
                headers["Cross-Origin-Resource-Policy"] = "cross-origin"
                headers.add_vary_header("Origin")
            if not self._body.is_complete:
                headers["Connection"] = "close"
        elif not message.get("more_body", False) and not self._body.is_complete:
            await self._send({**message, "more_body": True})
            await self._body.drain()
            message = {"type": "http.response.body", "body": b""}
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._is_stream = False  # it is complete
        await self._send(message)

    async def replace(self, scope: Scope, receive: Receive, error: Exception) -> None:
        """Send the error: as a stream's last event, or as the response, unless another one has started.

        That one is cut, which its reader can see.
        """
        if not self._started:
            await error_response(scope["path"], error)(scope, receive, self.send)
        elif self._is_stream:
            event = error_event(scope["path"], error)
            await self._send({"type": "http.response.body", "body": event, "more_body": False})


async def _check_upgrade(body: Body) -> None:
    """Raise ServiceError 400 if the server would parse the body as another request, unless it closes."""
    if await body.is_missing():
        raise ServiceError(400, _NO_UPGRADE, headers={"Connection": "close"})


def _is_address(name: str) -> bool:
    """Whether a Host is an IP address or missing: no page of another site can have a browser send these."""
    with contextlib.suppress(ValueError):
        return not name or bool(ipaddress.ip_address(name.removeprefix("[").removesuffix("]")))
    return False


def _is_own_origin(origin: str, host: str, allowed: Collection[str]) -> bool:
    """Whether the origin is the requested host or, behind a proxy, one of the allowed names."""
    try:
        parts = urlsplit(origin)
        return parts.netloc.lower() == host.lower() or parts.hostname in allowed
    except ValueError:
        return False


def _key_name(headers: Headers, keys: Keys) -> str:
    """The name of the bearer token or X-API-Key; raises ServiceError 401."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    given = (token if scheme.lower() == "bearer" else headers.get("x-api-key", "")).strip()
    name = keys.name_of(given.encode())
    if name is None:
        missing = "a key is needed, as Authorization: Bearer KEY or as X-API-Key"
        message = "the key is not accepted" if given else missing
        raise ServiceError(401, message, headers={"WWW-Authenticate": "Bearer"})
    return name
