"""The journal, the output and the budget of a run as its workers see them: the driver has the real ones."""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import itertools
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, cast

from cutline.engine.journal_store import JournalStore
from cutline.engine.output import Unwritten
from cutline.engine.reorder import Entry
from cutline.engine.repeats import RequestId, Shared, can_be_shared, is_shared, request_id
from cutline.engine.shard_task import ShardOutput
from cutline.errors import RunStopped
from cutline.interfaces import Sink
from cutline.ray.messages import Appended, AppendedContent, AppendedStep, Event, Known, Lookup, Written
from cutline.records import Outcome, Sample, Step
from cutline.slots import Slots

LOOKUP_SIZE = 256
DRIVER_SILENCE = 8.0  # less than the time after which the driver replaces a silent worker
_LOOK_EVERY = 0.2
NOTHING = Known()


class Outbox:
    """Events for the driver, in order; any thread may add some."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._waiting: dict[int, concurrent.futures.Future[Mapping[str, Known]]] = {}
        self._stopped = False

    def add(self, event: Event) -> None:
        with self._lock:
            self._events.append(event)

    def __len__(self) -> int:
        return len(self._events)

    def take(self) -> tuple[Event, ...]:
        """All events since the last call."""
        with self._lock:
            events, self._events = tuple(self._events), []
        return events

    def question(self) -> tuple[int, concurrent.futures.Future[Mapping[str, Known]]]:
        """A number for an event that the driver answers, and what its answer arrives in."""
        with self._lock:
            number, future = next(self._numbers), concurrent.futures.Future[Mapping[str, Known]]()
            self._waiting[number] = future
            if self._stopped:
                future.set_exception(RunStopped("stopped"))
        return number, future

    def answer(self, number: int, known: Mapping[str, Known]) -> None:
        future = self._waiting.pop(number, None)
        if future is not None and not future.done():
            future.set_result(known)

    def stop(self) -> None:
        """Have all who wait for an answer, now or later, stop instead."""
        with self._lock:
            self._stopped = True
            waiting = list(self._waiting.values())
        for future in waiting:
            if not future.done():
                future.set_exception(RunStopped("stopped"))


class WorkerJournal(JournalStore):
    """Sends what is appended to the driver; holds what that knows of the samples under way."""

    def __init__(self, outbox: Outbox, *, trusted: bool) -> None:
        self.trusted = trusted
        self.has_repeats = False
        self._outbox = outbox
        self._known: dict[str, Known] = {}
        self._requests: dict[RequestId, Shared] = {}
        self._appended: dict[str, Outcome] = {}

    @property
    def has_history(self) -> bool:
        return bool(self._known)

    def with_history(self, samples: Iterator[Sample]) -> Iterator[Sample]:
        """The samples, each once the driver has said what it knows of it; blocks."""
        while chunk := tuple(itertools.islice(samples, LOOKUP_SIZE)):
            number, answer = self._outbox.question()
            self._outbox.add(Lookup(number=number, samples=chunk))
            known = answer.result()
            self._known |= known
            for sample in chunk:
                yield known[sample.key].sample or sample

    def known(self, key: str) -> Known:
        return self._known.get(key, NOTHING)

    def get(self, key: str) -> Outcome | None:
        return self.known(key).outcome

    def steps(self, key: str) -> Sequence[tuple[str, tuple[Step, ...]]]:
        return self.known(key).steps

    def earlier(self, key: str) -> Outcome | None:
        return self.known(key).earlier

    def alike(self, wanted: RequestId) -> Shared | None:
        return self._requests.get(wanted)

    def append(self, outcome: Outcome) -> None:
        self._appended[outcome.key] = outcome
        self._outbox.add(Appended(outcome=outcome))
        if self.has_repeats and can_be_shared(outcome) and not is_shared(outcome):
            request = request_id(outcome.key, outcome.content_id)
            self._requests[request] = cast("Shared", outcome)

    def append_content(self, key: str, content_id: str) -> None:
        self._outbox.add(AppendedContent(key=key, content_id=content_id))

    def append_step(self, key: str, content_id: str, step: Step) -> None:
        self._outbox.add(AppendedStep(key=key, content_id=content_id, step=step))

    def sync(self) -> None:
        """The driver's journal is made durable there."""

    def forget(self, key: str) -> tuple[Outcome | None, bool]:
        """Drop what is held of a sample that is written: what was appended, and whether it was known."""
        known = self._known.pop(key, NOTHING)
        return self._appended.pop(key, None), known.outcome is not None


class WorkerOutput(ShardOutput):
    """Sends outcomes to the driver, in the order of the shard."""

    def __init__(self, outbox: Outbox, journal: WorkerJournal, *, needs_picture: bool) -> None:
        self._outbox = outbox
        self._journal = journal
        self._needs_picture = needs_picture

    @property
    def folder(self) -> Path:
        """Of this machine, for the unnamed file of outcomes that wait for their turn."""
        return Path(tempfile.gettempdir())

    @property
    def needs_picture(self) -> bool:
        return self._needs_picture

    def write(self, entries: Iterable[Entry]) -> Sequence[Unwritten]:
        for sample, outcome, picture in entries:
            appended, was_known = self._journal.forget(sample.key)
            self._outbox.add(
                Written(
                    sample=sample,
                    outcome=None if outcome is appended else outcome,
                    picture=picture,
                    is_fresh=appended is not None or not was_known,
                )
            )
        return ()

    def commit(self) -> None:
        """The driver commits."""


class WorkerSink(Sink):
    """What the driver's output holds of the samples under way; nothing is written through it."""

    def __init__(self, journal: WorkerJournal, *, keeps_captions: bool) -> None:
        self.keeps_captions = keeps_captions
        self._journal = journal

    def existing_text(self, sample: Sample) -> str | None:
        existing = self._journal.known(sample.key).existing
        if isinstance(existing, Exception):
            raise existing
        return existing

    def check_write(self, sample: Sample, text: str | None = None) -> None:  # noqa: ARG002
        refused = self._journal.known(sample.key).refused
        if refused is not None:
            raise refused

    @property
    def outputs(self) -> list[Path | str]:
        return []

    def _refuse(self, *_: Any) -> NoReturn:
        raise AssertionError("the driver writes")

    open: Any = _refuse
    write: Any = _refuse
    commit = finish = close = _refuse


class WorkerSlots(Slots):
    """Slots while the driver grants some; without a budget there is always one.

    None is given while the driver has not been heard of for ``DRIVER_SILENCE`` seconds: it may be gone, or
    have given this worker up, and its part of the limit to another one.
    """

    def __init__(self, *, has_budget: bool) -> None:
        self._has_budget = has_budget
        self._granted = self._left = 0
        self._halted = False
        self._heard = time.monotonic()
        self._waiting: collections.deque[asyncio.Future[None]] = collections.deque()

    async def take(self) -> None:
        while self._has_budget and not self._granted:
            if self._halted:
                raise RunStopped("stopped")
            future = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            await future
        self._granted -= self._has_budget
        while self._is_alone and not self._halted:  # noqa: ASYNC110 - for a clock there is no event
            await asyncio.sleep(_LOOK_EVERY)

    @property
    def _is_alone(self) -> bool:
        return time.monotonic() - self._heard > DRIVER_SILENCE

    def greet(self) -> None:
        """The driver is there."""
        self._heard = time.monotonic()

    def check(self) -> None:
        if self._halted:
            raise RunStopped("stopped")

    def leave(self) -> None:
        self._left += 1

    def halt(self) -> None:
        self._halted = True
        self._wake(len(self._waiting))

    def grant(self, count: int) -> None:
        self._granted += count
        self._wake(count)

    def _wake(self, count: int) -> None:
        while count and self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)
                count -= 1

    def returned(self, *, unused: bool = False) -> int:
        """The grants that were used since the last call; at the end also those that were not."""
        left, self._left = self._left, 0
        if unused:
            left, self._granted = left + self._granted, 0
        return left if self._has_budget else 0
