"""Calls that wait at the same time, run as one."""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def in_background(work: Callable[[], R]) -> R:
    """What ``work`` returns or raises, from a thread that does not keep the program from ending."""
    done: concurrent.futures.Future[R] = concurrent.futures.Future()

    def run() -> None:
        # Nobody may wait any more, or the loop be closed.
        with contextlib.suppress(concurrent.futures.InvalidStateError, RuntimeError):
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                done.set_exception(error)
            else:
                done.set_result(result)

    threading.Thread(target=run, name="cutline-encoder", daemon=True).start()
    return await asyncio.wrap_future(done)


class Batching(Generic[T, R]):
    """Hands what is waiting to ``work``, at most ``most`` at a time, in the background.

    Nothing waits for a batch to fill: while one runs, the next gathers. When ``work`` fails for a
    batch, each of its items is tried alone, so that only those fail that are at fault. Belongs to one
    event loop.
    """

    def __init__(self, work: Callable[[Sequence[T]], Sequence[R]], *, most: int) -> None:
        self._work = work
        self._most = most
        self._waiting: collections.deque[tuple[T, asyncio.Future[R]]] = collections.deque()
        self._running: asyncio.Task[None] | None = None

    async def __call__(self, item: T) -> R:
        """The item's result; raises what ``work`` raised for it."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        await asyncio.sleep(0)  # whoever is about to call now joins the first batch
        while self._waiting:
            count = min(self._most, len(self._waiting))
            batch = [self._waiting.popleft() for _ in range(count)]
            await self._run_batch([pair for pair in batch if not pair[1].cancelled()])

    async def _run_batch(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        if not batch:
            return
        items = [item for item, _ in batch]
        try:
            results = await in_background(lambda: self._work(items))
        except Exception as error:  # noqa: BLE001 - handed to who asked
            if len(batch) == 1:
                _, future = batch[0]
                if not future.cancelled():
                    future.set_exception(error)
                return
            for pair in batch:
                await self._run_batch([pair])
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.cancelled():
                future.set_result(result)

    def close(self) -> None:
        """Begin no more batches, without waiting for the one under way."""
        if self._running is not None:
            self._running.cancel()
        while self._waiting:
            self._waiting.popleft()[1].cancel()
