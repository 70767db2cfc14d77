"""An event loop in a thread of its own, for code that may block it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator
from concurrent.futures import Future
from typing import Any, Final

ANSWERING: Final = 1.0  # seconds that a loop has for a sign of life

Ended = tuple[object, BaseException | None]


class Host:
    """Runs coroutines in another thread; ``running`` is the call whose code the loop is in the middle of."""

    def __init__(self) -> None:
        self.running: object = None
        self._loop = asyncio.new_event_loop()
        # A daemon: code that never comes back must not keep the program from ending.
        threading.Thread(target=self._live, name="cutline-background", daemon=True).start()

    def submit(self, call: object, work: Callable[[], Awaitable[object]]) -> Future[Ended]:
        """Have ``work`` awaited; the future has what it gave or raised."""
        return asyncio.run_coroutine_threadsafe(self._run(call, work), self._loop)

    async def is_blocked(self) -> bool:
        """Whether the loop gives no sign of life."""
        alive = asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self._loop)
        try:
            async with asyncio.timeout(ANSWERING):
                await asyncio.wrap_future(alive)
        except TimeoutError:
            return True
        return False

    def end(self) -> None:
        """Let the thread end, as soon as its code lets it."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _run(self, call: object, work: Callable[[], Awaitable[object]]) -> Ended:
        try:
            return await _Noted(_awaited(work), self, call), None
        except BaseException as error:  # noqa: BLE001 - it belongs to one picture
            return None, error

    def _live(self) -> None:
        try:
            self._loop.run_forever()
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.run_until_complete(asyncio.sleep(0))
        finally:
            self._loop.close()


async def _awaited(work: Callable[[], Awaitable[object]]) -> object:
    return await work()


class _Noted:
    """Awaits a coroutine, and tells the host when it is the one that runs."""

    def __init__(self, work: Coroutine[Any, Any, object], host: Host, call: object) -> None:
        self._work = work
        self._host = host
        self._call = call

    def __await__(self) -> Generator[Any, Any, object]:
        value: Any = None
        raised: BaseException | None = None
        while True:
            self._host.running = self._call
            try:
                waited = self._work.throw(raised) if raised is not None else self._work.send(value)
            except StopIteration as ended:
                return ended.value
            finally:
                self._host.running = None
            value = raised = None
            try:
                value = yield waited
            except BaseException as error:  # noqa: BLE001 - handed on to the coroutine
                raised = error
