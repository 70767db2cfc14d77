"""A bounded number of pictures or requests under way at once."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import contextvars
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final, Protocol, TypeAlias

from cutline.errors import RunStopped

_FAVOURED: Final = 4  # slots in a row for callers who wait, until one of the others gets one
_HAS_CALLER: Final = contextvars.ContextVar("has_caller", default=False)
_SHOWS_PROGRESS: Final = contextvars.ContextVar("shows_progress", default=True)

_Waiting: TypeAlias = collections.deque[tuple[asyncio.Future[None], asyncio.Event]]


def waiting_caller() -> contextlib.AbstractContextManager[None]:
    """What runs within is for one caller, who waits for it: it gets slots before what may take its time."""
    return _within(_HAS_CALLER, value=True)


def has_waiting_caller() -> bool:
    return _HAS_CALLER.get()


def no_progress() -> contextlib.AbstractContextManager[None]:
    """Nothing shows what is waited for within: an endpoint that never answered fails after the retries."""
    return _within(_SHOWS_PROGRESS, value=False)


def shows_progress() -> bool:
    return _SHOWS_PROGRESS.get()


@contextlib.contextmanager
def _within(variable: contextvars.ContextVar[bool], *, value: bool) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


class Slots(Protocol):
    """Slots of which there is a bounded number; whoever waits for one gets it in turn."""

    async def take(self) -> None:
        """Wait for a slot.

        Raises:
            RunStopped: none is given any more.
        """

    def check(self) -> None:
        """Raise RunStopped where whoever has a slot may not make another request with it."""

    def leave(self) -> None:
        """Give a slot back."""

    def halt(self) -> None:
        """Give no slot any more."""


class LocalSlots:
    """Slots of this process: ``most`` at once, in the order of the calls of ``take``.

    A ``waiting_caller`` comes before the others, which get every fifth slot all the same. ``most``
    may answer differently each time; call ``wake`` when it has become more.
    """

    def __init__(self, most: Callable[[], int]) -> None:
        self._most = most
        self._callers: _Waiting = collections.deque()
        self._others: _Waiting = collections.deque()
        self._favoured = 0  # callers in a row that came before others
        self.taken = 0
        self.halted = asyncio.Event()

    @contextlib.asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Hold a place; waits for it."""
        await self.take()
        try:
            yield
        finally:
            self.leave()

    async def take(self, halted: asyncio.Event | None = None) -> None:
        """Wait for a place; ``wake`` counts it before it is handed over.

        ``halted`` is set by ``halt`` for the calls that share it; without it, for all that pass none.

        Raises:
            RunStopped: it is set.
        """
        halted = halted or self.halted
        if halted.is_set():
            raise RunStopped("stopped")
        if self.taken < self._most() and not self._callers and not self._others:
            self.taken += 1
            return
        future = asyncio.get_running_loop().create_future()
        (self._callers if has_waiting_caller() else self._others).append((future, halted))
        try:
            await future
        except asyncio.CancelledError:
            was_given = future.done() and not future.cancelled() and future.exception() is None
            if was_given:
                self.leave()
            raise

    def check(self) -> None:
        if self.halted.is_set():
            raise RunStopped("stopped")

    def leave(self) -> None:
        self.taken -= 1
        self.wake()

    def halt(self, halted: asyncio.Event | None = None) -> None:
        """Let in none of the calls that pass this event to ``take``, from now on."""
        halted = halted or self.halted
        halted.set()
        for waiting in (self._callers, self._others):
            for future, event in waiting:
                if event is halted and not future.done():
                    future.set_exception(RunStopped("stopped"))
            kept = [one for one in waiting if one[1] is not halted]
            waiting.clear()
            waiting.extend(kept)

    async def pause(self, seconds: float, halted: asyncio.Event | None = None) -> None:
        """Wait so long; raises RunStopped as soon as the event is set."""
        await pause(seconds, halted or self.halted)

    def wake(self) -> None:
        """Let in as many as there is room for."""
        while (self._callers or self._others) and self.taken < self._most():
            is_favour = bool(self._callers and self._others)
            is_callers = bool(self._callers) and not (is_favour and self._favoured >= _FAVOURED)
            future, _ = (self._callers if is_callers else self._others).popleft()
            if not future.done():
                self._favoured = self._favoured + 1 if is_callers and is_favour else 0
                self.taken += 1
                future.set_result(None)


class CallersApart:
    """As many slots for callers who wait as for all others, whose pictures may wait for an endpoint."""

    def __init__(self, most: Callable[[], int]) -> None:
        self._callers, self._others = LocalSlots(most), LocalSlots(most)

    def one(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Hold a place; waits for it."""
        return (self._callers if has_waiting_caller() else self._others).one()

    @property
    def taken(self) -> int:
        return self._callers.taken + self._others.taken


async def pause(seconds: float, halted: asyncio.Event) -> None:
    """Wait so long; raises RunStopped as soon as ``halted`` is set."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await halted.wait()
    if halted.is_set():
        raise RunStopped("stopped")


def and_preparing(slots: int) -> int:
    """Pictures in progress for a captioner with this many slots, including a few that are loading."""
    return slots + min(16, 2 + slots // 4)
