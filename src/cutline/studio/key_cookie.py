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
    """Hands the key of the cookie on as ``X-API-Key``, where a request brings no key of its own.

    Browsers send the cookie with requests of the studio's own page only (``SameSite=Strict``).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            key = cookie_parser(headers.get("cookie", "")).get(_NAME)
            if key and "authorization" not in headers and "x-api-key" not in headers:
                scope = {**scope, "headers": list(scope["headers"])}
                MutableHeaders(scope=scope)["x-api-key"] = unquote(key)
        await self._app(scope, receive, send)


def set_cookie(key: str) -> str:
    """The value of ``Set-Cookie`` that keeps the key until the browser is closed; scripts cannot read it."""
    cookie: SimpleCookie = SimpleCookie({_NAME: quote(key, safe="")})
    morsel = cookie[_NAME]
    morsel["path"], morsel["httponly"], morsel["samesite"] = "/", True, "Strict"
    return morsel.OutputString()
