"""The worker of a service's process: claims queued pictures, captions them, writes the results."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from cutline import retry_policy
from cutline.errors import RunStopped
from cutline.records import Caption, Failure, Outcome
from cutline.service.captioning_service import CaptioningService
from cutline.service.pictures import Pictures
from cutline.service.queue.item_runner import ItemRunner
from cutline.service.queue.leases import Item, Leases, Place, Result
from cutline.service.queue.schema import describe_error
from cutline.service.queue.store import Store
from cutline.service.results import result_json
from cutline.slots import LocalSlots, and_preparing

_log = logging.getLogger("cutline.service.queue")

POLL_SECONDS: Final = 0.5  # between looks at an empty queue, which other processes fill too
RENEW_SECONDS: Final = 1.0  # between renewals, which also show what was cancelled
GRACE_SECONDS: Final = 6.0  # from the signal to stop, for pictures before the model
EXPIRE_SECONDS: Final = 60.0
MAX_DOWNLOADS: Final = 256  # pictures of URLs that are held besides, until they are here
_BATCH: Final = 256


class Worker:
    """Holds a few more pictures than the model has slots, so that no slot waits for the store."""

    def __init__(
        self,
        store: Store,
        leases: Leases,
        service: CaptioningService,
        pictures: Pictures,
        *,
        keep_seconds: float,
    ) -> None:
        self._store, self._leases, self._service = store, leases, service
        self._keep_seconds = keep_seconds
        self._slots = LocalSlots(lambda: and_preparing(self._capacity))
        self._runner = ItemRunner(store, leases, service, pictures, self._slots)
        self._held: dict[Place, asyncio.Task[None]] = {}
        self._begun: set[str] = set()
        self._suspect: Place | None = None  # that is tried alone
        self._results: list[Result] = []
        self._wakeup = asyncio.Event()  # a job came, a slot is free, or the service stops
        self._has_results = asyncio.Event()
        self._may_own_more = False  # whether we may have leases of pictures that we do not hold
        self._orphans: set[Place] = set()
        self._paused_until = 0.0
        self._pauses = 0  # in a row
        self._closing = False
        self._stop_at = 0.0
        self._loops: list[asyncio.Task[None]] = []

    @property
    def _capacity(self) -> int:
        """How many pictures the models take at once, as far as is known by now."""
        return max(1, self._service.captioner.slots, *self._service.chains.slots)

    def start(self) -> None:
        for loop in (self._claim_loop, self._write_loop, self._renew_loop, self._expire_loop):
            self._loops.append(asyncio.create_task(self._restarting(loop), name=loop.__name__))

    def wake(self) -> None:
        """There is a new job in the store."""
        self._wakeup.set()

    def drop(self, job: str) -> None:
        """Stop the pictures of a job that was cancelled."""
        for task in [task for place, task in self._held.items() if place[0] == job]:
            task.cancel()

    def stop(self) -> None:
        """Claim no more; what is held continues until ``aclose``."""
        if not self._closing:
            self._stop_at = time.monotonic() + GRACE_SECONDS
        self._closing = True
        self.wake()

    @property
    def _seconds_left(self) -> float:
        """Until a stopping service has to end; a moment at least, for what is done anyway."""
        return max(0.5, self._stop_at - time.monotonic())

    async def aclose(self) -> None:
        """Finish what takes a few seconds, and release the rest."""
        self.stop()
        if not self._loops:
            return
        claim_loop, write_loop, *_ = self._loops
        await asyncio.wait([claim_loop], timeout=self._seconds_left)
        if tasks := list(self._held.values()):
            _, late = await asyncio.wait(tasks, timeout=self._seconds_left)
            for task in late:
                task.cancel()
            await asyncio.wait(tasks)
        self._has_results.set()
        await asyncio.wait([write_loop], timeout=self._seconds_left)
        for task in self._loops:
            task.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        with contextlib.suppress(SQLAlchemyError):  # the leases expire by themselves
            await self._leases.release()

    async def _restarting(self, loop: Callable[[], Awaitable[None]]) -> None:
        """Run a loop again when the database is back, and after an unexpected error, which is logged."""
        failures = 0
        while True:
            started = time.monotonic()
            try:
                await loop()
            except Exception as error:  # noqa: BLE001 - see above
                failures = 1 if time.monotonic() - started > retry_policy.MAX_DELAY else failures + 1
                if isinstance(error, SQLAlchemyError):
                    _log.error("queue interrupted cause=%s", describe_error(error))
                else:
                    _log.exception("queue interrupted cause=%s", type(error).__name__)
                await asyncio.sleep(retry_policy.delay(failures, first=1.0))
            else:
                return

    async def _claim_loop(self) -> None:
        await self._leases.end_leases_of_dead()  # such as those of the process before this one
        while not self._closing:
            self._wakeup.clear()
            pause = self._paused_until - time.monotonic()
            max_held = min(_BATCH, self._capacity + max(1, self._capacity // 2))
            room = max_held - len(self._held) + len(self._runner.downloading)
            is_worth_it = room * 3 >= max_held  # a transaction for a few would cost too much
            if pause > 0:
                await self._wait(pause)
            elif self._suspect in self._held or not is_worth_it or not await self._claim(room):
                await self._wait(POLL_SECONDS)

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wakeup.wait(), seconds)

    async def _claim(self, room: int) -> bool:
        self._leases.skips_urls = len(self._runner.downloading) >= MAX_DOWNLOADS
        self._leases.is_idle = not self._held
        try:
            claimed = await self._leases.claim(room)
        except SQLAlchemyError:
            self._may_own_more = True  # it may have been done, and only the response lost
            raise
        for item in claimed:
            task = asyncio.create_task(self._work(item))
            task.add_done_callback(functools.partial(self._ended, item))
            self._held[item.id] = task
            if item.kind == "url":
                self._runner.downloading.add(item.id)
            if item.is_suspect:
                self._suspect = item.id
        if new := {item.job for item in claimed} - self._begun:
            await self._leases.begin(new)
            self._begun = {job for job, _ in self._held} | new
        return bool(claimed)

    async def _work(self, item: Item) -> None:
        """Caption one picture, or put it back into the queue."""
        try:
            outcome = await self._runner.outcome(item)
        except RunStopped as error:
            self._pause(error)
            await self._release(item)
        except SQLAlchemyError as error:  # its bytes cannot be read now
            _log.error("store unavailable cause=%s", describe_error(error))
            await self._postpone(item)
        except Exception:  # noqa: BLE001 - a bug must not end the queue
            _log.exception("unexpected error job=%s index=%d", item.job, item.place)
            message = "the service failed on this picture"
            self._finish(item, Failure(key=item.name, kind="captioner", message=message))
        else:
            self._pauses = 0
            if isinstance(outcome, Failure) and outcome.kind == "overloaded":
                await self._postpone(item)  # too much is held to download its picture now
            else:
                self._finish(item, outcome)

    async def _postpone(self, item: Item) -> None:
        """Leave it to another worker, or to ourselves a little later."""
        self._paused_until = max(self._paused_until, time.monotonic() + POLL_SECONDS)
        await self._release(item)

    def _finish(self, item: Item, outcome: Outcome) -> None:
        self._service.record(outcome, item.id)
        data = result_json(item.name, outcome)
        self._results.append(Result(item=item, data=data, captioned=isinstance(outcome, Caption)))
        self._has_results.set()

    def _ended(self, item: Item, task: asyncio.Task[None]) -> None:
        """A cancelled task, which may not even have begun, leaves no result that would drop its item."""
        if task.cancelled():
            self._drop_item(item)

    def _drop_item(self, item: Item) -> None:
        self._held.pop(item.id, None)
        self._runner.downloading.discard(item.id)
        self._wakeup.set()

    def _pause(self, error: RunStopped) -> None:
        """Claim nothing until the model may be available again: no picture is to fail for that."""
        now = time.monotonic()
        if now >= self._paused_until:
            self._pauses += 1
            pause = max(1.0, min(60.0, 2.0 ** (self._pauses - 1)))
            self._paused_until = now + pause
            _log.error("queue paused, model unavailable seconds=%.0f cause=%s", pause, error)

    async def _release(self, item: Item) -> None:
        try:
            await self._leases.release([item.id])
        except SQLAlchemyError:
            self._may_own_more = True
            _log.warning("release delayed job=%s index=%d", item.job, item.place)
        self._drop_item(item)

    async def _write_loop(self) -> None:
        """All results that came while the last ones were written go into one transaction."""
        while True:
            await self._has_results.wait()
            self._has_results.clear()
            while self._results:
                batch = self._results[:_BATCH]
                try:
                    ended = await self._leases.complete(batch)
                except BaseException:
                    self._has_results.set()
                    raise
                del self._results[: len(batch)]
                for job in ended:
                    job.log_end()
                for result in batch:
                    self._drop_item(result.item)
            if self._closing and not self._held:
                return

    async def _renew_loop(self) -> None:
        """Keep the leases of what is held, and stop what was cancelled or taken over by others."""
        while True:
            await asyncio.sleep(min(RENEW_SECONDS, self._leases.seconds / 4))
            held = list(self._held.items())
            if held or self._may_own_more:
                ours = await self._leases.renew()
                for task in [task for place, task in held if place not in ours]:
                    task.cancel()
                if self._may_own_more:
                    await self._release_orphans(ours - self._held.keys())

    async def _release_orphans(self, orphans: set[Place]) -> None:
        """Release leases of pictures that are not held: they would be renewed forever.

        Only those that were there at the last renewal: the others may just have been claimed.
        """
        if still := orphans & self._orphans:
            await self._leases.release(still)
        self._orphans = orphans - still
        self._may_own_more = bool(orphans)

    async def _expire_loop(self) -> None:
        while True:
            while await self._store.expire(self._keep_seconds):
                pass
            await asyncio.sleep(EXPIRE_SECONDS)
