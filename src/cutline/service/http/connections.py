"""Connections that ignore upgrades and limit the time and size of request heads, which uvicorn does not.

The parser ends a request that wants another protocol with its head, and takes the body for the next request.
As RFC 9110 (7.8) allows, such a request is read again without its Upgrade, and answered in HTTP/1.1.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS: Final = 10.0
MAX_HEAD: Final = 65_536  # bytes
_UPGRADES: Final = frozenset({b"upgrade", b"http2-settings"})


class Connection(HttpToolsProtocol):
    """Closes when a request's head is late or too long, and answers every request in HTTP/1.1."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._timeout: asyncio.TimerHandle | None = None
        self._head_size = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_timeout()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timeout()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._feed(data)
        if self._timeout is not None:
            self._head_size += len(data)
            if self._head_size > MAX_HEAD:
                self._abort()

    def on_message_begin(self) -> None:
        """A request's first byte."""
        super().on_message_begin()
        self._start_timeout()

    def on_headers_complete(self) -> None:
        if not self.parser.should_upgrade():  # else the head is read again
            self._stop_timeout()
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def _feed(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                method = self.parser.get_method()
                if method == b"CONNECT":
                    self.send_400_response("CONNECT is not supported.")
                    return
                data = self._head_without_upgrade(method) + data[upgrade.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            except httptools.HttpParserError:
                self.logger.warning("Invalid HTTP request received.")
                self.send_400_response("Invalid HTTP request received.")
                return
            else:
                return

    def _head_without_upgrade(self, method: bytes) -> bytes:
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (method, self.url, version)]
        for name, value in self.headers:
            if name == b"connection":
                tokens = [token.strip() for token in value.split(b",")]
                value = b", ".join(token for token in tokens if token.lower() not in _UPGRADES)  # noqa: PLW2901 - without some
            if name not in _UPGRADES:
                lines.append(b"%b: %b" % (name, value))
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def _start_timeout(self) -> None:
        if self._timeout is None:
            self._timeout = self.loop.call_later(HEAD_SECONDS, self._abort)
            self._head_size = 0

    def _stop_timeout(self) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None

    def _abort(self) -> None:
        if not self.transport.is_closing():
            self.transport.abort()
