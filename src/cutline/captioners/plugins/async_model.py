"""A plug-in's model with an asynchronous ``caption``."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator
from concurrent.futures import Future
from typing import Any, Final

from cutline.captioners.plugins.isolation import IsolatedCalls, Outcome, PluginCode
from cutline.captioners.plugins.results import reply_of
from cutline.captioners.plugins.turns import Turn, Turns, grace
from cutline.errors import Rejected, Retryable
from cutline.imaging import Picture
from cutline.interfaces import Captioner, Profile, Say, silent
from cutline.prompts import Prompt
from cutline.records import Reply

_log = logging.getLogger(__name__)

MAX_ATTEMPTS: Final = 3
"""Attempts for a picture whose loop other calls block."""
CLOSE_TIMEOUT: Final = 5.0  # seconds
PING_TIMEOUT: Final = 1.0


class AsyncModel(Captioner):
    """Calls ``caption`` of the object that ``start`` creates; ``slots`` calls at once.

    The object lives on an event loop of its own. When a call blocks that, the loop is abandoned, and the
    other calls are repeated on a new loop with a new object.
    """

    profile = Profile(own_timeout=True)  # a call that blocks the loop must not be blamed on others

    def __init__(self, start: Callable[[], object], code: PluginCode, *, turns: Turns, slots: int) -> None:
        self.name = code.name
        self._slots = slots
        self._start = start
        self._code = code
        self._calls = IsolatedCalls(code, turns, limit=slots, replace=self._abandon_loop)
        self._current: tuple[TrackedLoop, Any] | None = None
        self._lost = 0
        self._opening = asyncio.Lock()

    @property
    def slots(self) -> int:
        return self._slots

    async def open(self, say: Say = silent) -> None:
        """Create the model once; raises ConfigError when it cannot be created."""
        async with self._opening:
            if self._current is None:
                say(f"loading {self.name}")
                loop = TrackedLoop()

                async def create() -> object:
                    return self._start()

                model, error = await asyncio.wrap_future(loop.submit(None, create))  # without a time limit
                if error is not None:
                    loop.stop()
                    raise self._code.load_error(error)
                self._current = loop, model

    async def caption(self, picture: Picture, prompt: Prompt) -> Reply:
        """Caption one picture.

        Raises:
            SampleError: ``captioner``, when the model returns something else than a caption.
            Retryable, Rejected: ``timeout``; the latter where the model blocks.
            RunStopped: it blocks too often.
            Exception: what the model raises.
        """
        for _ in range(MAX_ATTEMPTS):
            turn = await self._calls.turn()
            loop, model = await self._current_for(turn)
            start = time.perf_counter()
            try:
                work = functools.partial(model.caption, picture, prompt)
                result = await self._run(loop, turn, work, self._code.timeout)
            except TimeoutError:
                self._calls.watch(turn)
                if not await loop.is_blocked(PING_TIMEOUT):
                    raise Retryable("timeout", self._code.timeout_message) from None
                blocking = loop.running is turn
                if await loop.is_blocked(grace(self._code.timeout)):
                    self._replace(loop)
                if blocking:
                    reason = "and blocked its event loop: await, or write infer()"
                    raise Rejected("timeout", f"{self._code.timeout_message}, {reason}") from None
            else:
                return reply_of(result, model=self.name, seconds=time.perf_counter() - start)
        raise Rejected("timeout", f"{self._code.timeout_message}: other calls block its event loop")

    async def _current_for(self, turn: Turn) -> tuple[TrackedLoop, Any]:
        """The loop and the model for the call of this turn."""
        if self._current is None:
            try:
                await self.open()
            except BaseException:
                turn.end()
                raise
        assert self._current is not None
        return self._current

    def _replace(self, loop: TrackedLoop) -> None:
        """Use a new loop for later pictures; raises RunStopped when too many were lost."""
        if self._current is not None and loop is self._current[0]:
            self._current = None
            self._lost += 1
            self._code.check_lost(self._lost)
        for turn in loop.turns:
            turn.forgive()

    def _abandon_loop(self) -> None:
        """All turns are lost to calls that continue although they were cancelled."""
        self._current = None

    def halt(self) -> None:
        self._calls.halt()

    async def aclose(self) -> None:
        """Await the model's own ``aclose()``, if it has one."""
        current, self._current = self._current, None
        if current is None:
            return
        loop, model = current
        try:
            if callable(getattr(model, "aclose", None)):
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await self._calls.wait_until_idle()
                    turn = await self._calls.turn()
                await self._run(loop, turn, model.aclose, CLOSE_TIMEOUT)
        except Exception as error:  # noqa: BLE001 - all captions are there; what it holds ends with the program
            _log.warning("aclose model=%s failed: %s", self.name, error or "it takes too long")
        finally:
            loop.stop()
            self._calls.close()

    async def _run(
        self, loop: TrackedLoop, turn: Turn, work: Callable[[], Awaitable[object]], seconds: float
    ) -> object:
        """The result of ``work``; raises TimeoutError, or what ``work`` raises."""
        async with asyncio.timeout(seconds):
            result, error = await asyncio.wrap_future(loop.submit(turn, work))
        if error is not None:
            raise self._code.sample_error(error)
        return result


class TrackedLoop:
    """Runs coroutines in another thread; ``running`` is the call whose code the loop is executing now."""

    def __init__(self) -> None:
        self.running: object = None
        self.turns: set[Turn] = set()
        self._loop = asyncio.new_event_loop()
        # A daemon: code that never returns must not keep the program from ending.
        threading.Thread(target=self._run_loop, name="cutline-background", daemon=True).start()

    def submit(self, turn: Turn | None, work: Callable[[], Awaitable[object]]) -> Future[Outcome]:
        """Await ``work`` on the loop; the turn ends with it, also where the future is cancelled before."""
        future: Future[Outcome] = Future()

        def start() -> None:
            task = self._loop.create_task(self._capture(turn, work))
            if turn is not None:
                self.turns.add(turn)
            task.add_done_callback(end)
            future.add_done_callback(lambda done: self._cancel(task) if done.cancelled() else None)

        def end(task: asyncio.Task[Outcome]) -> None:
            if turn is not None:
                self.turns.discard(turn)
                turn.end()
            if future.set_running_or_notify_cancel():
                future.set_result((None, asyncio.CancelledError()) if task.cancelled() else task.result())

        try:
            self._loop.call_soon_threadsafe(start)
        except RuntimeError:  # it is closed
            if turn is not None:
                turn.end()
            raise
        return future

    def _cancel(self, task: asyncio.Task[Outcome]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(task.cancel)

    async def is_blocked(self, seconds: float) -> bool:
        """Whether the loop fails to respond to a ping in that time."""
        ping = asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self._loop)
        try:
            async with asyncio.timeout(seconds):
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
    """Awaits a coroutine, and sets ``TrackedLoop.running`` while it executes."""

    def __init__(self, work: Coroutine[Any, Any, object], loop: TrackedLoop, call: object) -> None:
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
