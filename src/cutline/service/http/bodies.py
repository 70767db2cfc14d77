"""What requests send: how much of it, how fast, and how many requests are held at one time."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from fastapi import HTTPException
from starlette.types import Message, Receive

from cutline.service.errors import Refusal

PATIENCE: Final = 10.0  # seconds that a body may take however small it is
MIN_SPEED: Final = 20_000  # bytes a second that a longer one must bring
_DRAINED: Final = 3.0  # seconds that the rest of a refused body is read, so that its sender hears why
_MOST_VALUES: Final = 10_000
_CLOSE: Final = {"Connection": "close"}


def too_large(most: int) -> HTTPException:
    return Refusal(413, f"at most {most} bytes a request", code="too-large", headers=_CLOSE)


def busy() -> HTTPException:
    """The answer when no more can be held; nothing was done, so that asking again is safe."""
    return Refusal(503, "too many requests wait: come again", code="overloaded", headers={"Retry-After": "2"})


def check_values(data: bytes, most: int) -> None:
    """Refuse JSON of so many small values that reading it would keep everybody waiting.

    Raises:
        HTTPException: 413; pictures within it do not count, ``most`` names of pictures are allowed.
    """
    if data.count(b",") + data.count(b"[") + data.count(b"{") > _MOST_VALUES + most:
        raise HTTPException(413, "the JSON holds too many values")


class Lobby:
    """Holds at most ``max_waiting`` requests, and ``max_bytes`` of what they sent or had us download."""

    def __init__(self, *, max_waiting: int, max_bytes: int) -> None:
        self._max_waiting, self._max_bytes = max_waiting, max_bytes
        self.waiting = self.held = 0

    @property
    def full(self) -> bool:
        return self.waiting >= self._max_waiting or self.held >= self._max_bytes

    def can_ever_hold(self, size: int) -> bool:
        return size <= self._max_bytes

    def enter(self) -> None:
        """Raises HTTPException 503 when too many are here."""
        if self.waiting >= self._max_waiting:
            raise busy()
        self.waiting += 1

    def leave(self) -> None:
        self.waiting -= 1

    def take(self, size: int) -> None:
        """Raises HTTPException 503 when these bytes are too many; then none of them count."""
        if self.held + size > self._max_bytes:
            raise busy()
        self.held += size

    def give_back(self, size: int) -> None:
        self.held -= size


class Body:
    """One request's body on its way in; whoever reads it is stopped by an HTTPException that says why."""

    def __init__(self, receive: Receive, lobby: Lobby, *, most: int, empty: bool) -> None:
        self._receive, self._lobby, self._most = receive, lobby, most
        self._began = time.monotonic()
        self._size = self._held = 0
        self._entered = False
        self.whole = empty

    async def receive(self) -> Message:
        """The next message; takes the place of the server's own ``receive``.

        Raises:
            HTTPException: 408 for a body that comes too slowly, 413 for one that is too long, 503 when
                too many requests wait.
        """
        if self.whole:
            return await self._receive()
        left = self._began + PATIENCE + self._size / MIN_SPEED - time.monotonic()
        try:
            message = await asyncio.wait_for(self._receive(), max(left, 0.001))
        except TimeoutError:
            raise HTTPException(408, "the request came too slowly", headers=_CLOSE) from None
        if message["type"] == "http.request":
            self._count(len(message.get("body", b"")))
            if not message.get("more_body", False):
                self.whole = True
                self._enter()
        return message

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > self._most:
            raise too_large(self._most)
        self._lobby.take(size)
        self._held += size

    def _enter(self) -> None:
        """Counted among those who wait only from here on: slow senders take no places."""
        self._lobby.enter()
        self._entered = True

    async def drain(self) -> None:
        """Read on what nobody wants, for a moment: a connection cut at once would take the answer along."""
        end = time.monotonic() + _DRAINED
        size = 0
        while not self.whole and size <= self._most and (left := end - time.monotonic()) > 0:
            try:
                message = await asyncio.wait_for(self._receive(), left)
            except TimeoutError:
                return
            size += len(message.get("body", b""))
            if message["type"] != "http.request" or not message.get("more_body", False):
                return

    def leave(self) -> None:
        """The request is answered."""
        self._lobby.give_back(self._held)
        self._held = 0
        if self._entered:
            self._lobby.leave()
            self._entered = False
