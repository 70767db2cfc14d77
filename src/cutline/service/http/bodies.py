"""Request bodies: how long and how slow they may be, and their bytes counted while they are held."""

from __future__ import annotations

import asyncio
import codecs
import time
from typing import Final

from starlette.requests import Request
from starlette.types import Message, Receive

from cutline.service.admission import Admission
from cutline.service.errors import ServiceError

BODY_SECONDS: Final = 10.0  # that any body may take
MIN_SPEED: Final = 20_000  # bytes per second that a longer one must have
_DRAIN_SECONDS: Final = 3.0  # for the rest of a refused body, so that its sender gets the response
_MAX_VALUES: Final = 10_000
_CLOSE: Final = {"Connection": "close"}
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""Byte-order marks that PowerShell's files begin with."""


def too_large(limit: int) -> ServiceError:
    return ServiceError(413, f"at most {limit} bytes per request", kind="too-large", headers=_CLOSE)


async def json_body(request: Request) -> bytes:
    """The body as UTF-8 without a byte-order mark.

    Raises ServiceError 413 for so many small values that parsing them would block all clients; as many
    pictures as a batch may have are allowed besides, and what is in them does not count.
    """
    data = await request.body()
    if _values(data) > _MAX_VALUES + request.app.state.settings.max_pictures:
        raise ServiceError(413, "the JSON holds too many values")
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            text = data.removeprefix(mark)
            return text if encoding == "utf-8" else text.decode(encoding, "replace").encode()
    return data


def _values(data: bytes) -> int:
    return data.count(b",") + data.count(b"[") + data.count(b"{")


class Body:
    """The body of one request; whatever reads it gets a ServiceError when it breaks a limit."""

    def __init__(
        self, receive: Receive, admission: Admission, *, limit: int, empty: bool, pictures: int | None = None
    ) -> None:
        """``pictures``: as for ``json_body``, which a body of JSON is checked by while it comes."""
        self._pictures, self._values = pictures, 0
        self._receive, self._admission, self._limit = receive, admission, limit
        self._started = time.monotonic()
        self._size = self._held = 0
        self._entered = False
        self._first: Message | None = None
        self.is_complete = empty

    async def is_missing(self) -> bool:
        """Whether a body that the head announces is empty, as where a server takes Upgrade for its end."""
        self._first = await self.receive()
        is_body = self._first["type"] == "http.request"
        return is_body and not self._first.get("body") and not self._first.get("more_body", False)

    async def receive(self) -> Message:
        """The next message; raises ServiceError 408 (too slow), 413 (too long) or 503 (too many waiting)."""
        if (first := self._first) is not None:
            self._first = None
            return first
        if self.is_complete:
            return await self._receive()
        left = self._started + BODY_SECONDS + self._size / MIN_SPEED - time.monotonic()
        try:
            message = await asyncio.wait_for(self._receive(), max(left, 0.001))
        except TimeoutError:
            raise ServiceError(408, "the request came too slowly", headers=_CLOSE) from None
        if message["type"] == "http.request":
            self._count(message.get("body", b""))
            if not message.get("more_body", False):
                self.is_complete = True
                self._admission.enter()  # only now: slow senders take no places
                self._entered = True
        return message

    def _count(self, data: bytes) -> None:
        size = len(data)
        self._size += size
        if self._pictures is not None:
            self._values += _values(data)
            if self._values > _MAX_VALUES + self._pictures:
                raise ServiceError(413, "the JSON holds too many values", headers=_CLOSE)
        if self._size > self._limit:
            raise too_large(self._limit)
        self._admission.hold(size)
        self._held += size

    async def drain(self) -> None:
        """Read and discard the rest for a moment: closing at once would lose the response."""
        end = time.monotonic() + _DRAIN_SECONDS
        size = 0
        while not self.is_complete and size <= self._limit and (left := end - time.monotonic()) > 0:
            try:
                message = await asyncio.wait_for(self._receive(), left)
            except TimeoutError:
                return
            size += len(message.get("body", b""))
            if message["type"] != "http.request" or not message.get("more_body", False):
                return

    def close(self) -> None:
        """The response is out: count nothing of this request any more."""
        self._admission.release(self._held)
        self._held = 0
        if self._entered:
            self._admission.leave()
            self._entered = False
