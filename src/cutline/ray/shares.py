"""Shares of one limit of concurrent requests, one for each worker of a run."""

from __future__ import annotations

import asyncio
from typing import Protocol


class Holder(Protocol):
    """A worker with a share of the limit."""

    share: int

    async def set_share(self, requests: int) -> bool:
        """Returns once it has no more requests in progress than that; False if it is dead."""


class Shares:
    """Divides ``limit`` among holders; the sum of the shares never exceeds it."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._holders: list[Holder] = []
        self._expected = 1
        self._reserved = 0
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()

    async def join(self, holder: Holder) -> None:
        """Give a new holder its share, or as much of it as is free; waits until some is."""
        holder.share = 0
        self._holders.append(holder)
        while True:
            self._freed.clear()
            async with self._turn:
                await self._raise(holder)
            if holder.share:
                return
            await self._freed.wait()

    async def leave(self, holder: Holder, *, after: float = 0.0) -> None:
        """Take a holder's share back, ``after`` a number of seconds in which nobody has it."""
        if holder in self._holders:
            self._holders.remove(holder)
            share = holder.share  # lowering it may be under way
            self._reserved += share
            await asyncio.sleep(after)
            self._reserved -= share
            self._freed.set()

    async def divide(self, expected: int) -> None:
        """Divide the limit among ``expected`` holders, some of which may not have joined yet."""
        async with self._turn:
            self._expected = expected
            above = [one for one in self._holders if one.share > self._part(one)]
            await asyncio.gather(*(self._lower(one) for one in above))
            for holder in list(self._holders):
                await self._raise(holder)
        self._freed.set()

    def _part(self, holder: Holder) -> int:
        count = max(len(self._holders), self._expected, 1)
        return self.limit // count + (self._holders.index(holder) < self.limit % count)

    async def _lower(self, holder: Holder) -> None:
        part = self._part(holder)
        if await holder.set_share(part):
            holder.share = part

    async def _raise(self, holder: Holder) -> None:
        if holder not in self._holders:
            return
        free = self.limit - self._reserved - sum(one.share for one in self._holders)
        share = min(self._part(holder), holder.share + free)
        if share > holder.share:
            holder.share = share
            await holder.set_share(share)
