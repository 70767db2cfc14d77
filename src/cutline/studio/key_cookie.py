"""The key in the browser: a cookie, as pictures and events are requested without headers of the page."""

from __future__ import annotations

from http.cookies import SimpleCookie
from typing import Final
from urllib.parse import quote, unquote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Receive, Scope, Send

_NAME: Final = "cutline-studio"


class KeyCookie:
    """Passes the key in the cookie on as ``X-API-Key`` if a request has no other key.

    Browsers send the cookie only with requests of the studio's own page (``SameSite=Strict``).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            key = cookie_parser(headers.get("cookie", "")).get(_NAME)
            if key and "authorization" not in headers and "x-api-key" not in headers:
                scope = {**scope, "headers": list(scope["headers"])}
                # Bytes that are no UTF-8 become a key that is wrong, not an error.
                MutableHeaders(scope=scope)["x-api-key"] = unquote(key).encode("utf-8").decode("latin-1")
        await self._app(scope, receive, send)


def set_cookie(key: str) -> str:
    """The value of ``Set-Cookie`` for a session cookie with the key, hidden from scripts."""
    cookie: SimpleCookie = SimpleCookie({_NAME: quote(key, safe="")})
    morsel = cookie[_NAME]
    morsel["path"], morsel["httponly"], morsel["samesite"] = "/", True, "Strict"
    return morsel.OutputString()
