"""Gather concurrent calls into batches that run on threads."""

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

MIN_SPEEDUP = 1.05  # in items a second, for a batch size to double
MAX_TRIALS = 3  # batches of one size, of which the fastest counts: other programs can only slow one down
MIN_WAIT = 0.002  # seconds that the first call of a batch waits for others
WAIT_SHARE = 0.05  # of the duration of the last batch, that a call may wait for others
SHUTDOWN_TIMEOUT = 2.0  # seconds to wait for threads; one that is in a batch is abandoned


class OutOfMemory(Exception):
    """A batch was too large for the device; its memory is freed."""


async def in_background(work: Callable[[], Result]) -> Result:
    """Run ``work`` in a daemon thread, which does not keep the program from ending."""
    call: _Call[None, Result] = _Call(None, asyncio.get_running_loop())

    def run() -> None:
        try:
            call.finish(result=work())
        except BaseException as error:  # noqa: BLE001 - raised in the caller
            call.finish(error=error)

    threading.Thread(target=run, name="cutline-background", daemon=True).start()
    return await call.done


class _Call(Generic[Item, Result]):
    """An item, and the future of its result on the caller's event loop."""

    def __init__(self, item: Item, loop: asyncio.AbstractEventLoop) -> None:
        self.item = item
        self.done: asyncio.Future[Result] = loop.create_future()
        self.started = 0.0
        self.batch = 1
        self._loop = loop

    def finish(self, *, result: Result | None = None, error: BaseException | None = None) -> None:
        """Set the result or error, from any thread; the caller may be gone."""

        def resolve() -> None:
            if self.done.done():
                return
            if error is not None:
                self.done.set_exception(error)
            else:
                self.done.set_result(cast("Result", result))

        with contextlib.suppress(RuntimeError):  # the loop was closed
            self._loop.call_soon_threadsafe(resolve)

    def cancel(self) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.done.cancel)


class Batcher(Generic[Item, Result]):
    """Runs items in batches, with one thread for each of ``runs``, the replicas of a model.

    ``run`` maps a list to a list of the same length; it raises OutOfMemory when the list is too long for
    the device. ``size`` is the maximum of a batch; with 0, batches grow from ``first_size`` while that
    makes them faster by ``clock`` (in seconds), up to ``max_size``, and shrink when memory runs out. A failed
    batch is repeated in halves, so that only the item at fault fails.
    """

    def __init__(
        self,
        runs: Sequence[Run[Item, Result]],
        *,
        size: int = 0,
        max_size: int = 64,
        first_size: int = 1,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._clock = clock
        self._calls: collections.deque[_Call[Item, Result]] = collections.deque()
        self._changed = threading.Condition()
        self._closed = self._halted = False
        self._sizes = [_BatchSize(fixed=size, maximum=size or max_size, first=first_size) for _ in runs]
        self._threads = [
            # Daemons: a long batch must not keep the program from ending.
            threading.Thread(target=self._work, args=(run, size), name=f"batch-{number}", daemon=True)
            for number, (run, size) in enumerate(zip(runs, self._sizes, strict=True))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def sizes(self) -> list[int]:
        """The current batch size of each replica."""
        return [size.current for size in self._sizes]

    async def submit(self, item: Item, *, seconds: float = math.inf) -> Result:
        """The item's result. ``seconds`` is the time limit of a batch for each of its items.

        Raises:
            TimeoutError: the batch takes longer; it cannot be interrupted, so this replica is lost.
            SampleError: ``out-of-memory``, when the item alone does not fit.
            RunStopped: ``halt`` was called.
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
            call.done.cancel()  # keeps it out of a batch when the caller is gone

    def halt(self) -> None:
        """Start no more batches: waiting calls raise RunStopped."""
        with self._changed:
            self._halted = True
            for call in self._calls:
                call.finish(error=RunStopped("stopped"))
            self._calls.clear()

    def close(self) -> None:
        """Refuse calls, cancel those that wait, and block until idle threads have released their models.

        A thread that releases its model while the interpreter shuts down makes torch abort the program.
        """
        with self._changed:
            self._closed = True
            for call in self._calls:
                call.cancel()
            self._calls.clear()
            self._changed.notify_all()
        end = time.monotonic() + SHUTDOWN_TIMEOUT
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _work(self, run: Run[Item, Result], size: _BatchSize) -> None:
        while (batch := self._take(size)) is not None:
            start = self._clock()
            try:
                if self._run(run, batch, size):
                    size.record(len(batch), self._clock() - start)
            except BaseException as error:  # noqa: BLE001 - a bug here must not block callers for ever
                for call in batch:
                    call.finish(error=error)

    def _take(self, size: _BatchSize) -> list[_Call[Item, Result]] | None:
        """The next batch; None after ``close``."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._calls or self._closed)
                # Wait briefly for a full batch, as calls come in a burst when a batch has ended.
                self._changed.wait_for(lambda: self._closed or len(self._calls) >= size.current, size.wait)
                if self._closed:
                    return None
                batch: list[_Call[Item, Result]] = []
                while self._calls and len(batch) < size.current:
                    call = self._calls.popleft()
                    if not call.done.cancelled():
                        batch.append(call)
                for call in batch:
                    call.started, call.batch = time.monotonic(), len(batch)
                if batch:
                    return batch

    def _run(self, run: Run[Item, Result], batch: list[_Call[Item, Result]], size: _BatchSize) -> bool:
        """Run a batch, in halves if it fails. Whether it succeeded as a whole."""
        error = self._try(run, batch)
        if error is None:
            return True
        if isinstance(error, OutOfMemory):
            size.shrink(len(batch))
        if len(batch) == 1:
            if isinstance(error, OutOfMemory):
                error = SampleError("out-of-memory", "the device has too little memory for this picture")
            batch[0].finish(error=error)
            return False
        _log.info("batch of %d failed, repeated in halves: %s", len(batch), type(error).__name__)
        middle = len(batch) // 2
        del error  # its traceback holds memory
        self._run(run, batch[:middle], size)
        self._run(run, batch[middle:], size)
        return False

    @staticmethod
    def _try(run: Run[Item, Result], batch: list[_Call[Item, Result]]) -> BaseException | None:
        """Run a batch and resolve its calls; returns the error if it fails."""
        try:
            results = run([call.item for call in batch])
            assert len(results) == len(batch), f"{len(results)} results for {len(batch)} items"
        except BaseException as error:  # noqa: BLE001 - raised in the callers
            return error
        for call, result in zip(batch, results, strict=True):
            call.finish(result=result)
        return None


class _BatchSize:
    """The batch size of a replica: doubled while that is faster."""

    def __init__(self, *, fixed: int, maximum: int, first: int) -> None:
        self.maximum = maximum
        self.current = fixed or min(first, maximum)
        self.wait = MIN_WAIT  # seconds to wait for a full batch
        self._previous = 0.0  # items a second, in batches of half this size
        self._speeds: list[float] = []  # in batches of this size
        self._growing = not fixed

    def record(self, items: int, seconds: float) -> None:
        """Take the speed of a successful batch into account; partial batches do not count."""
        self.wait = max(MIN_WAIT, WAIT_SHARE * seconds)
        if not self._growing or items < self.current:
            return
        self._speeds.append(items / max(seconds, 1e-9))
        fastest = max(self._speeds)
        if fastest >= self._previous * MIN_SPEEDUP:
            if self.current >= self.maximum:
                self._growing = False
                return
            self._previous, self._speeds = fastest, []
            self.current = min(self.current * 2, self.maximum)
            _log.debug("batch-size size=%d", self.current)
        elif len(self._speeds) >= MAX_TRIALS:
            self._growing = False
            self.current = max(1, self.current // 2)
            _log.debug("batch-size size=%d settled", self.current)

    def shrink(self, items: int) -> None:
        """Halve the size after a batch of this many items ran out of memory."""
        if items > 1 and items <= self.current:
            self.current = self.maximum = max(1, items // 2)
            self._growing = False
