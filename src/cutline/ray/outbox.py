"""What a worker has for its driver, and the questions that the driver answers."""

from __future__ import annotations

import asyncio
import concurrent.futures
import itertools
import threading
from collections.abc import Callable
from typing import Any

from cutline.errors import RunStopped
from cutline.ray.messages import Event, Question


class Outbox:
    """Events for the driver, in order; any thread may add some.

    ``is_urgent``: somebody waits for the answer to one of them.
    """

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._waiting: dict[int, concurrent.futures.Future[Any]] = {}
        self._stopped = False
        self.is_urgent = False

    def add(self, event: Event) -> None:
        with self._lock:
            self._events.append(event)
            self.is_urgent = self.is_urgent or isinstance(event, Question)

    def __len__(self) -> int:
        return len(self._events)

    def take(self) -> tuple[Event, ...]:
        """All events since the last call."""
        with self._lock:
            events, self._events, self.is_urgent = tuple(self._events), [], False
        return events

    def question(self, make: Callable[[int], Event]) -> concurrent.futures.Future[Any]:
        """Add a question, which is made with its number; returns what its answer arrives in."""
        with self._lock:
            number, future = next(self._numbers), concurrent.futures.Future[Any]()
            self._waiting[number] = future
            if self._stopped:
                future.set_exception(RunStopped("stopped"))
        self.add(make(number))
        return future

    async def ask(self, make: Callable[[int], Event]) -> Any:
        """The answer to a question."""
        return await asyncio.wrap_future(self.question(make))

    def answer(self, number: int, answer: object) -> None:
        future = self._waiting.pop(number, None)
        if future is not None and not future.done():
            future.set_result(answer)

    def stop(self) -> None:
        """Have all who wait for an answer, now or later, stop instead."""
        with self._lock:
            self._stopped = True
            waiting = list(self._waiting.values())
        for future in waiting:
            if not future.done():
                future.set_exception(RunStopped("stopped"))
