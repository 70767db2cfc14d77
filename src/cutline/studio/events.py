"""Events for every open page, as server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

import orjson

_WAITING: Final = 1000  # events that a slow page may be behind
_PING: Final = 15.0  # seconds without an event


class Events:
    """Sends each event to every subscriber. ``publish`` is thread-safe."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queues: set[asyncio.Queue[bytes | None]] = set()
        self._is_closed = False

    def open(self) -> None:
        self._loop = asyncio.get_running_loop()

    def publish(self, kind: str, **values: Any) -> None:
        event = b"event: " + kind.encode() + b"\ndata: " + orjson.dumps(values) + b"\n\n"
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._put, event)

    def close(self) -> None:
        """End all streams; later ones end immediately."""
        self._is_closed = True
        self._put(None)

    async def stream(self) -> AsyncIterator[bytes]:
        """Subsequent events; a page that is too far behind gets an event to reload everything."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(_WAITING)
        self._queues.add(queue)
        try:
            yield b"event: hello\ndata: {}\n\n"
            while not self._is_closed:
                try:
                    event = await asyncio.wait_for(queue.get(), _PING)
                except TimeoutError:
                    event = b": \n\n"
                if event is None:
                    return
                yield event
        finally:
            self._queues.discard(queue)

    def _put(self, event: bytes | None) -> None:
        for queue in self._queues:
            if queue.full():
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(b"event: hello\ndata: {}\n\n")
            else:
                queue.put_nowait(event)
