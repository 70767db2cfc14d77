"""An event loop in a thread of its own, for code that may block it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator
from concurrent.futures import Future
from typing import Any, Final

from cutline.captioners.plugins.isolation import Outcome

PING_TIMEOUT: Final = 1.0  # seconds


class BackgroundLoop:
    """Runs coroutines in another thread; ``running`` is the call whose code the loop is executing now."""

    def __init__(self) -> None:
        self.running: object = None
        self._loop = asyncio.new_event_loop()
        # A daemon: code that never returns must not keep the program from ending.
        threading.Thread(target=self._run_loop, name="cutline-background", daemon=True).start()

    def submit(self, call: object, work: Callable[[], Awaitable[object]]) -> Future[Outcome]:
        """Await ``work`` on the loop."""
        return asyncio.run_coroutine_threadsafe(self._capture(call, work), self._loop)

    async def is_blocked(self) -> bool:
        """Whether the loop fails to respond to a ping."""
        ping = asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self._loop)
        try:
            async with asyncio.timeout(PING_TIMEOUT):
                await asyncio.wrap_future(ping)
        except TimeoutError:
            return True
        return False

    def stop(self) -> None:
        """End the thread, as soon as the code that it runs yields."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _capture(self, call: object, work: Callable[[], Awaitable[object]]) -> Outcome:
        try:
            return await _Tracked(_awaited(work), self, call), None
        except BaseException as error:  # noqa: BLE001 - it belongs to one picture
            return None, error

    def _run_loop(self) -> None:
        try:
            self._loop.run_forever()
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.run_until_complete(asyncio.sleep(0))
        finally:
            self._loop.close()


async def _awaited(work: Callable[[], Awaitable[object]]) -> object:
    return await work()


class _Tracked:
    """Awaits a coroutine, and sets ``BackgroundLoop.running`` while it executes."""

    def __init__(self, work: Coroutine[Any, Any, object], loop: BackgroundLoop, call: object) -> None:
        self._work = work
        self._loop = loop
        self._call = call

    def __await__(self) -> Generator[Any, Any, object]:
        value: Any = None
        raised: BaseException | None = None
        while True:
            self._loop.running = self._call
            try:
                yielded = self._work.throw(raised) if raised is not None else self._work.send(value)
            except StopIteration as ended:
                return ended.value
            finally:
                self._loop.running = None
            value = raised = None
            try:
                value = yield yielded
            except BaseException as error:  # noqa: BLE001 - forwarded to the coroutine
                raised = error
