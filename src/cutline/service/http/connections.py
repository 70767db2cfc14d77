"""Connections whose requests begin in reasonable time and with heads of reasonable size.

The server beneath waits for the end of a head for ever, and keeps it however long it gets.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS: Final = 10.0
MOST_HEAD: Final = 65_536  # bytes


class Connection(HttpToolsProtocol):
    """Closes itself when a request's head is late or too long."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._late: asyncio.TimerHandle | None = None
        self._head = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        self._came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._late is not None:
            self._head += len(data)
            if self._head > MOST_HEAD:
                self._end()

    def on_message_begin(self) -> None:
        """Called at a request's first byte."""
        super().on_message_begin()
        self._expect()

    def on_headers_complete(self) -> None:
        self._came()
        super().on_headers_complete()

    def _expect(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(HEAD_SECONDS, self._end)
            self._head = 0

    def _came(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _end(self) -> None:
        if not self.transport.is_closing():
            self.transport.abort()
