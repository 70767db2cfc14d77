"""Calls that wait are gathered and run as one batch: what makes a local model fast."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, cast

from cutline.errors import RunStopped, SampleError

_log = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")
Run = Callable[[list[Item]], list[Result]]

WORTH_IT = 1.05  # a larger batch must give so many times the pictures a second
TRIES = 3  # batches of one size, of which the fastest counts: other programs only make one slower
GATHER = 0.002  # seconds that a first call waits for others
PATIENCE = 0.05  # of the time of the last batch, that a call may wait for others
LETTING_GO = 2.0  # seconds; a model in the middle of an answer is not waited for


class OutOfMemory(Exception):
    """A batch was too large for the device; what it held is freed."""


async def in_background(work: Callable[[], Result]) -> Result:
    """What ``work`` returns or raises, from a thread that does not keep the program from ending."""
    call: _Call[None, Result] = _Call(None, asyncio.get_running_loop())

    def run() -> None:
        try:
            call.finish(result=work())
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            call.finish(error=error)

    threading.Thread(target=run, name="cutline-background", daemon=True).start()
    return await call.done


class _Call(Generic[Item, Result]):
    """An item on its way, and who waits for its result on an event loop."""

    def __init__(self, item: Item, loop: asyncio.AbstractEventLoop) -> None:
        self.item = item
        self.done: asyncio.Future[Result] = loop.create_future()
        self.started = 0.0
        self.batch = 1
        self._loop = loop

    def finish(self, *, result: Result | None = None, error: BaseException | None = None) -> None:
        """Hand over what came of it, from any thread; nobody may be there any more."""

        def settle() -> None:
            if self.done.done():
                return
            if error is not None:
                self.done.set_exception(error)
            else:
                self.done.set_result(cast("Result", result))

        with contextlib.suppress(RuntimeError):  # the loop was closed
            self._loop.call_soon_threadsafe(settle)

    def give_up(self) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.done.cancel)


class Batcher(Generic[Item, Result]):
    """Runs items in batches on one thread for each of ``runs``, the replicas of a model.

    ``run`` gets a list and gives a list as long; it raises OutOfMemory when the list is too long
    for the device. ``size`` is the most items of a batch; 0 finds it out: batches grow from ``first``
    while that makes them faster, up to ``most``, and shrink when memory says no. A batch that fails is
    run again in halves, so that only the item that cannot be done fails.
    """

    def __init__(
        self, runs: Sequence[Run[Item, Result]], *, size: int = 0, most: int = 64, first: int = 1
    ) -> None:
        self._calls: collections.deque[_Call[Item, Result]] = collections.deque()
        self._changed = threading.Condition()
        self._closed = self._halted = False
        self._sizes = [_Size(fixed=size, most=size or most, first=first) for _ in runs]
        self._threads = [
            # Daemons: a model in the middle of a long answer must not keep the program from ending.
            threading.Thread(target=self._work, args=(run, own), name=f"batch-{number}", daemon=True)
            for number, (run, own) in enumerate(zip(runs, self._sizes, strict=True))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def slots(self) -> int:
        """How many calls keep every replica busy: one batch under way and one being gathered."""
        return sum(2 * own.most for own in self._sizes)

    @property
    def sizes(self) -> list[int]:
        """The batch each replica takes now."""
        return [own.now for own in self._sizes]

    async def submit(self, item: Item, *, seconds: float = math.inf) -> Result:
        """The item's result. ``seconds`` is the most that a run may take for each item of its batch.

        Raises:
            TimeoutError: the run takes longer; it cannot be ended, so this replica is lost.
            SampleError: ``out-of-memory``, when the item alone is too much for the device.
            RunStopped: no batch is begun any more.
            Exception: what ``run`` raised for this item alone.
        """
        call: _Call[Item, Result] = _Call(item, asyncio.get_running_loop())
        with self._changed:
            if self._closed:
                raise RuntimeError("the model was closed")
            if self._halted:
                raise RunStopped("stopped")
            self._calls.append(call)
            self._changed.notify()
        try:
            while True:
                left = call.started + seconds * call.batch - time.monotonic() if call.started else seconds
                if left <= 0:
                    raise TimeoutError
                await asyncio.wait({call.done}, timeout=None if math.isinf(left) else left)
                if call.done.done():
                    return call.done.result()
        finally:
            call.done.cancel()  # so that it takes no place in a batch when nobody waits any more

    def halt(self) -> None:
        """Begin no batch from now on: calls that wait raise RunStopped."""
        with self._changed:
            self._halted = True
            for call in self._calls:
                call.finish(error=RunStopped("stopped"))
            self._calls.clear()

    def close(self) -> None:
        """Take no more calls; those that wait are cancelled. Blocks until models at rest are let go of.

        A thread that let go of its model while the program ends would abort it, from within torch.
        """
        with self._changed:
            self._closed = True
            for call in self._calls:
                call.give_up()
            self._calls.clear()
            self._changed.notify_all()
        end = time.monotonic() + LETTING_GO
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _work(self, run: Run[Item, Result], own: _Size) -> None:
        while (batch := self._take(own)) is not None:
            start = time.perf_counter()
            try:
                if self._run(run, batch, own):
                    own.note(len(batch), time.perf_counter() - start)
            except BaseException as error:  # noqa: BLE001 - a fault of ours: nobody may wait for ever
                for call in batch:
                    call.finish(error=error)

    def _take(self, own: _Size) -> list[_Call[Item, Result]] | None:
        """The next batch: what waits, up to the size; None when there will be no more."""
        with self._changed:
            while True:
                while not self._calls and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return None
                self._gather(own)
                batch: list[_Call[Item, Result]] = []
                while self._calls and len(batch) < own.now:
                    call = self._calls.popleft()
                    if not call.done.cancelled():
                        batch.append(call)
                for call in batch:
                    call.started, call.batch = time.monotonic(), len(batch)
                if batch:
                    return batch

    def _gather(self, own: _Size) -> None:
        """Wait for a full batch, as calls come in a burst when a batch has ended; not for long."""
        until = time.monotonic() + own.patience
        while len(self._calls) < own.now and not self._closed:
            left = until - time.monotonic()
            if left <= 0:
                return
            self._changed.wait(left)

    def _run(self, run: Run[Item, Result], batch: list[_Call[Item, Result]], own: _Size) -> bool:
        """Run a batch, in halves where it fails; whether it went through as a whole."""
        error = self._attempt(run, batch)
        if error is None:
            return True
        if isinstance(error, OutOfMemory):
            own.too_much(len(batch))
        if len(batch) == 1:
            batch[0].finish(error=_for_one(error))
            return False
        _log.info("batch of %d failed, run again in halves: %s", len(batch), type(error).__name__)
        middle = len(batch) // 2
        del error  # with its traceback, which holds on to memory
        self._run(run, batch[:middle], own)
        self._run(run, batch[middle:], own)
        return False

    @staticmethod
    def _attempt(run: Run[Item, Result], batch: list[_Call[Item, Result]]) -> BaseException | None:
        """Run a batch and hand out its results, or say why there are none."""
        try:
            results = run([call.item for call in batch])
            assert len(results) == len(batch), f"{len(results)} results for {len(batch)} items"
        except BaseException as error:  # noqa: BLE001 - it belongs to the calls, the thread must live on
            return error
        for call, result in zip(batch, results, strict=True):
            call.finish(result=result)
        return None


def _for_one(error: BaseException) -> BaseException:
    if isinstance(error, OutOfMemory):
        return SampleError("out-of-memory", "the device has too little memory for this picture")
    return error


class _Size:
    """How many items a replica takes at once: twice as many while that is faster."""

    def __init__(self, *, fixed: int, most: int, first: int) -> None:
        self.most = most
        self.now = fixed or min(first, most)
        self.patience = GATHER  # seconds to wait for a full batch
        self._before = 0.0  # items a second, with batches of half this size
        self._speeds: list[float] = []  # with batches of this size
        self._growing = not fixed

    def note(self, items: int, seconds: float) -> None:
        """A batch went through as a whole; those that were not full say nothing about their size."""
        self.patience = max(GATHER, PATIENCE * seconds)
        if not self._growing or items < self.now:
            return
        self._speeds.append(items / max(seconds, 1e-9))
        fastest = max(self._speeds)
        if fastest >= self._before * WORTH_IT:
            if self.now >= self.most:
                self._growing = False
                return
            self._before, self._speeds = fastest, []
            self.now = min(self.now * 2, self.most)
            _log.debug("batch-size size=%d", self.now)
        elif len(self._speeds) >= TRIES:
            self._growing = False
            self.now = max(1, self.now // 2)
            _log.debug("batch-size size=%d settled", self.now)

    def too_much(self, items: int) -> None:
        if items > 1 and items <= self.now:
            self.now = self.most = max(1, items // 2)
            self._growing = False
