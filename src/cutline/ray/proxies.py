"""Proxies, in a worker, of the run's journal, output and budget, which the driver has."""

from __future__ import annotations

import asyncio
import collections
import functools
import itertools
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn, cast

from cutline.engine.journal_store import JournalStore
from cutline.engine.output import Unwritten
from cutline.engine.reorder import Entry
from cutline.engine.repeats import RequestId, Shared, can_be_shared, is_shared, request_id
from cutline.engine.shard_task import ShardOutput
from cutline.errors import RunStopped
from cutline.interfaces import Sink
from cutline.ray.messages import (
    NOTHING,
    Appended,
    AppendedContent,
    AppendedStep,
    Known,
    Lookup,
    SharedRequest,
    Written,
)
from cutline.ray.outbox import Outbox
from cutline.records import Outcome, Sample, Step
from cutline.slots import Slots

LOOKUP_SIZE = 256
DRIVER_SILENCE = 8.0  # less than the time after which the driver replaces a silent worker
_LOOK_EVERY = 0.2


class WorkerJournal(JournalStore):
    """Sends appended records to the driver; caches what the driver knows about the samples in progress."""

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

    def begin(self) -> None:
        """Forget the requests of the last shard: the driver knows what came of them."""
        self._requests.clear()
        self._known.clear()

    def with_history(
        self, samples: Iterator[Sample], request: Callable[[Sample], RequestId | None]
    ) -> Iterator[Sample]:
        """The samples, each once it is known what the driver knows of it; blocks.

        ``request`` is that of a sample which others may share.
        """
        while chunk := tuple(itertools.islice(samples, LOOKUP_SIZE)):
            wanted = tuple(map(request, chunk))
            look_up = functools.partial(Lookup, samples=chunk, requests=wanted)
            known = self._outbox.question(lambda number: look_up(number=number)).result()  # noqa: B023 - called at once
            self._known |= known
            for sample in chunk:
                yield known.get(sample.key, NOTHING).sample or sample

    async def renew(self, sample: Sample) -> None:
        """Look up a sample once more, as its known outcome is about another picture."""
        known = await self._outbox.ask(
            lambda number: Lookup(number=number, samples=(sample,), requests=(None,), outdated=True)
        )
        self._known |= known

    def known(self, key: str) -> Known:
        return self._known.get(key, NOTHING)

    def get(self, key: str) -> Outcome | None:
        return self.known(key).outcome

    def steps(self, key: str) -> Sequence[tuple[str, tuple[Step, ...]]]:
        return self.known(key).steps

    def earlier(self, key: str) -> Outcome | None:
        return self.known(key).earlier

    async def alike(self, key: str, wanted: RequestId) -> Shared | None:
        found = self._requests.get(wanted)
        if found is not None or not self.known(key).is_elsewhere:
            return found
        shared: Shared | None = await self._outbox.ask(
            lambda number: SharedRequest(number=number, key=key, request=wanted)
        )
        return shared

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
        """Nothing to do: the driver makes its journal durable."""

    def forget(self, key: str) -> tuple[Outcome | None, bool]:
        """Drop the cached records of a sample whose outcome is written."""
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
        """A folder of this machine, for the unnamed file of outcomes that are not in order yet."""
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
        """Nothing to do: the driver commits."""


class WorkerSink(Sink):
    """The contents of the driver's output for the samples in progress; read-only."""

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
    """Slots that the driver grants; without a budget there is always one.

    None is given after ``DRIVER_SILENCE`` seconds without a message of the driver: it may have died, or have
    replaced this worker and given its share of the limit to another one.
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
        """Note a sign of life of the driver."""
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
        """The number of grants used since the last call; at the end also of the unused ones."""
        left, self._left = self._left, 0
        if unused:
            left, self._granted = left + self._granted, 0
        return left if self._has_budget else 0
