"""An event loop in a daemon thread, so that plain calls can run coroutines wherever they are made."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future, wait
from typing import Any, TypeVar

_T = TypeVar("_T")


class BackgroundLoop:
    """Runs coroutines for callers in any other thread, with or without a running loop (notebooks)."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()
        self._process = os.getpid()

    @property
    def is_alive(self) -> bool:
        """False once closed, and in a forked process, which inherits no threads."""
        return not self._loop.is_closed() and self._process == os.getpid()

    @property
    def is_current(self) -> bool:
        """Whether the caller runs on this loop, which therefore cannot wait for it."""
        return threading.current_thread() is self._thread

    def submit(self, work: Coroutine[Any, Any, _T]) -> Future[_T]:
        """Start ``work``; cancelling the future cancels it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Wait for the result; an interrupted wait (Ctrl-C) cancels ``work`` and waits until it has ended."""
        future, start, stop = self._prepare(work)
        try:
            self._loop.call_soon_threadsafe(start)
            return future.result()
        except BaseException:
            if not future.done():
                self._loop.call_soon_threadsafe(stop)
                wait([future])
            raise

    async def arun(self, work: Coroutine[Any, Any, _T]) -> _T:
        """As ``run``, from another event loop; cancelled, it waits until ``work`` has ended."""
        future, start, stop = self._prepare(work)
        result = asyncio.wrap_future(future)
        self._loop.call_soon_threadsafe(start)
        try:
            return await asyncio.shield(result)
        except asyncio.CancelledError:
            self._loop.call_soon_threadsafe(stop)
            await asyncio.wait([result])
            result.exception()  # seen, so that it is not logged
            raise

    def close(self) -> None:
        """Stop the loop and its threads; the coroutines have to have ended."""
        if self.is_alive:
            self.run(self._loop.shutdown_asyncgens())
            self.run(self._loop.shutdown_default_executor())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _prepare(
        self, work: Coroutine[Any, Any, _T]
    ) -> tuple[Future[_T], Callable[[], None], Callable[[], None]]:
        """The result to wait for, and what starts and cancels ``work`` on the loop."""
        future: Future[_T] = Future()
        tasks: list[asyncio.Task[_T]] = []

        def start() -> None:
            tasks.append(self._loop.create_task(work))
            tasks[0].add_done_callback(lambda task: _settle(future, task))

        def stop() -> None:
            if tasks:
                tasks[0].cancel()
            else:  # interrupted before it was started
                work.close()
                future.set_exception(CancelledError())

        return future, start, stop


def _settle(future: Future[_T], task: asyncio.Task[_T]) -> None:
    error = CancelledError() if task.cancelled() else task.exception()
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(task.result())
