"""Pictures that clients link to, brought here one after the other where there are many."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from typing import Final

from fastapi import HTTPException

from cutline.errors import PictureError
from cutline.locations.http import Fetcher, FetchLimits
from cutline.locations.stored import RemoteFile
from cutline.records import Sample
from cutline.service.http.bodies import Lobby

_AT_ONCE: Final = 64
_MOST_BYTES: Final = 32_000_000
_LIMITS: Final = FetchLimits(
    max_bytes=_MOST_BYTES, seconds=30.0, connect_seconds=5.0, idle_seconds=10.0, retries=1, total=_AT_ONCE
)


class Downloads:
    """Fetches from where it may; what is held counts as what requests sent does."""

    def __init__(self, lobby: Lobby, *, allow_private: bool) -> None:
        self._lobby, self._allow_private = lobby, allow_private
        self._fetcher: Fetcher | None = None
        self._gate = asyncio.Semaphore(_AT_ONCE)

    @contextlib.asynccontextmanager
    async def brought(self, sample: Sample) -> AsyncIterator[Sample]:
        """The sample with its picture's bytes, for as long as they are needed.

        Raises:
            PictureError: the picture cannot be had; ``overloaded`` when too much is held already.
        """
        if not isinstance(sample.location, RemoteFile):
            yield sample
            return
        self._fetcher = self._fetcher or Fetcher(allow_private=self._allow_private, limits=_LIMITS)
        async with self._gate:
            found = await self._fetcher.fetch(sample.location.url())
        try:
            self._lobby.take(len(found.data))
        except HTTPException:
            if not self._lobby.can_ever_hold(len(found.data)):
                raise PictureError("too-large", "the picture is too large") from None
            raise PictureError("overloaded", "too many requests wait: come again") from None
        try:
            yield dataclasses.replace(sample, location=found)
        finally:
            self._lobby.give_back(len(found.data))

    async def aclose(self) -> None:
        if self._fetcher is not None:
            await self._fetcher.aclose()
