"""Turns at one plug-in's code: a call keeps its turn until it returns, whoever has given up on it."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import math
import threading
from typing import Final

from cutline.batcher import in_background
from cutline.errors import RunStopped

MAX_GRACE: Final = 60.0


def grace(timeout: float) -> float:
    """Seconds for which a call beyond its time limit is waited for before it counts as hung.

    Long against the limit where that is short: then the call is more likely slow than hung.
    """
    return max(timeout, min(5 * timeout, MAX_GRACE))


class Turn:
    """One call's right to run. ``ended``: others may run; ``returned``: the call did return."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.ended, self.returned = threading.Event(), threading.Event()

    def end(self) -> None:
        """The call has returned; from any thread."""
        self.returned.set()
        self._turns.end(self)

    def forgive(self) -> None:
        """Let others run although the call has not returned."""
        self._turns.end(self)


class Turns:
    """How many calls of a class run at once, over all its captioners and event loops of the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[Turn] = set()
        self._waiting: collections.deque[_Waiter] = collections.deque()

    async def take(self, limit: int, halted: threading.Event) -> Turn:
        """Wait until fewer than ``limit`` calls run; raises RunStopped once ``halted`` is set."""
        waiter = _Waiter(limit, halted, asyncio.get_running_loop())
        with self._lock:
            self._waiting.append(waiter)
        self._wake()
        try:
            return await waiter.future
        except asyncio.CancelledError:
            with self._lock:
                with contextlib.suppress(ValueError):
                    self._waiting.remove(waiter)
                turn = waiter.turn
            if turn is not None:  # handed over in the same moment
                turn.end()
            raise

    def take_in_thread(self, limit: int) -> Turn:
        """As ``take``, for a thread that has nothing else to do."""
        while True:
            with self._lock:
                if len(self._running) < limit:
                    return self._begin()
                running = next(iter(self._running))
            running.ended.wait(1.0)

    def end(self, turn: Turn) -> None:
        with self._lock:
            if turn.ended.is_set():
                return
            turn.ended.set()
            self._running.discard(turn)
        self._wake()

    def halt(self) -> None:
        """Let those notice whose event is set now."""
        self._wake()

    def _begin(self) -> Turn:
        turn = Turn(self)
        self._running.add(turn)
        return turn

    def _wake(self) -> None:
        with self._lock:
            for waiter in list(self._waiting):
                if waiter.halted.is_set():
                    self._waiting.remove(waiter)
                    waiter.resolve(RunStopped("stopped"))
                elif len(self._running) < waiter.limit:
                    self._waiting.remove(waiter)
                    waiter.turn = self._begin()
                    if not waiter.resolve(waiter.turn):
                        self._running.discard(waiter.turn)


class _Waiter:
    """A call that waits; its future belongs to its event loop."""

    def __init__(self, limit: int, halted: threading.Event, loop: asyncio.AbstractEventLoop) -> None:
        self.limit, self.halted, self._loop = limit, halted, loop
        self.future: asyncio.Future[Turn] = loop.create_future()
        self.turn: Turn | None = None

    def resolve(self, result: Turn | RunStopped) -> bool:
        """Hand over the result; False if the loop is closed."""

        def settle() -> None:
            if self.future.done():
                return  # cancelled, which ends the turn
            if isinstance(result, Turn):
                self.future.set_result(result)
            else:
                self.future.set_exception(result)

        try:
            self._loop.call_soon_threadsafe(settle)
        except RuntimeError:
            return False
        return True


async def wait_for_end(turn: Turn, seconds: float = math.inf) -> bool:
    """Whether the call returns in that time."""
    return await in_background(lambda: turn.ended.wait(None if math.isinf(seconds) else seconds))
