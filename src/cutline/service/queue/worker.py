"""The worker of a service's process: takes pictures from the queue, has them captioned, writes what came."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from cutline import backoff
from cutline.errors import RunStopped
from cutline.records import Caption, Failure, Outcome
from cutline.service.captioning_service import CaptioningService
from cutline.service.http.responses import body_of
from cutline.service.pictures import Pictures
from cutline.service.queue.item_runner import ItemRunner
from cutline.service.queue.leases import Finished, Item, Leases, Place
from cutline.service.queue.schema import cause_of
from cutline.service.queue.store import Store
from cutline.service.telemetry.outcome_log import note_ends
from cutline.slots import Slots, and_preparing

_log = logging.getLogger("cutline.service.queue.queue")

IDLE_SECONDS: Final = 0.5  # between looks at an empty queue, which other processes fill too
BEAT_SECONDS: Final = 1.0  # between looks at what was cancelled
GRACE_SECONDS: Final = 5.0  # for what is under way when the service stops
EXPIRY_SECONDS: Final = 60.0
_AT_ONCE: Final = 256


@dataclasses.dataclass(slots=True)
class _Held:
    item: Item
    task: asyncio.Task[None]


class Worker:
    """Holds a few more pictures than the model has slots, so that no slot waits for the store."""

    def __init__(
        self,
        store: Store,
        leases: Leases,
        desk: CaptioningService,
        pictures: Pictures,
        *,
        keep_seconds: float,
    ) -> None:
        self._store, self._leases, self._desk = store, leases, desk
        self._fulfilling = ItemRunner(store, leases, desk, pictures)
        self._keep_seconds = keep_seconds
        self._places = Slots(lambda: and_preparing(self._slots))
        self._held: dict[Place, _Held] = {}
        self._begun: set[str] = set()
        self._finished: list[Finished] = []
        self._news = asyncio.Event()  # a job came, a slot is free, or it is over
        self._results = asyncio.Event()
        self._is_unsure = False  # whether pictures may be ours that we do not hold
        self._forgotten: set[Place] = set()
        self._paused_until = 0.0
        self._stops = 0  # of the model, one after the other
        self._closing = False
        self._loops: list[asyncio.Task[None]] = []

    @property
    def _slots(self) -> int:
        """How many pictures can be asked about at once, as far as is known by now."""
        return max(1, self._desk.slots, *self._desk.chains.slots)

    @property
    def _most(self) -> int:
        """How many are held."""
        return min(_AT_ONCE, self._slots + max(1, self._slots // 2))

    def start(self) -> None:
        for loop in (self._claiming, self._writing, self._beating, self._expiring):
            self._loops.append(asyncio.create_task(self._for_ever(loop), name=loop.__name__))

    def wake(self) -> None:
        """There is a new job in the store."""
        self._news.set()

    def drop(self, job: str) -> None:
        """Stop what is under way for a job that was cancelled."""
        for held in [held for held in self._held.values() if held.item.job == job]:
            held.task.cancel()

    def stop(self) -> None:
        """Take no more; what is held goes on until ``aclose``."""
        self._closing = True
        self.wake()

    async def aclose(self) -> None:
        """Finish what takes a few seconds, and give the rest back to the queue."""
        self.stop()
        if not self._loops:
            return
        claiming, writing, *_ = self._loops
        await asyncio.wait([claiming], timeout=GRACE_SECONDS)
        tasks = [held.task for held in self._held.values()]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=GRACE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.wait(tasks)
        self._results.set()
        await asyncio.wait([writing], timeout=GRACE_SECONDS)
        for task in self._loops:
            task.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        with contextlib.suppress(SQLAlchemyError):  # else the leases run out by themselves
            await self._leases.give_back()

    async def _for_ever(self, loop: Callable[[], Awaitable[None]]) -> None:
        """Go on when the database comes back; a bug of ours is told, but must not end the queue either."""
        failures = 0
        while True:
            began = time.monotonic()
            try:
                await loop()
            except Exception as error:  # noqa: BLE001 - see above
                failures = 1 if time.monotonic() - began > backoff.MAX_DELAY else failures + 1
                if isinstance(error, SQLAlchemyError):
                    _log.error("queue interrupted cause=%s", cause_of(error))
                else:
                    _log.exception("queue interrupted cause=%s", type(error).__name__)
                await asyncio.sleep(backoff.delay(failures, first=1.0))
            else:
                return

    async def _claiming(self) -> None:
        while not self._closing:
            self._news.clear()
            pause = self._paused_until - time.monotonic()
            room = self._most - len(self._held)
            if pause > 0:
                await self._wait(pause)
            elif not self._is_room(room) or not await self._claim(room):
                await self._wait(IDLE_SECONDS)

    def _is_room(self, room: int) -> bool:
        """Whether taking more is worth a transaction."""
        return room * 3 >= self._most

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), seconds)

    async def _claim(self, room: int) -> bool:
        try:
            claimed = await self._leases.claim(room)
        except SQLAlchemyError:
            self._is_unsure = True  # it may have been done, and only the answer was lost
            raise
        for item in claimed:
            task = asyncio.create_task(self._work(item))
            task.add_done_callback(functools.partial(self._ended, item))
            self._held[item.id] = _Held(item, task)
        new = {item.job for item in claimed} - self._begun
        if new:
            await self._leases.begin(new)
            self._begun = {held.item.job for held in self._held.values()} | new
        return bool(claimed)

    async def _work(self, item: Item) -> None:
        """One picture to its result, or back into the queue."""
        try:
            async with self._places.one():
                outcome = await self._fulfilling.outcome(item)
        except RunStopped as error:
            self._pause(error)
            await self._return(item)
        except SQLAlchemyError as error:  # its bytes could not be had now
            _log.error("store unusable cause=%s", cause_of(error))
            await self._put_off(item)
        except Exception:  # noqa: BLE001 - a bug of ours must not end the queue
            _log.exception("broke job=%s place=%d", item.job, item.place)
            self._finish(item, Failure(key=item.name, kind="captioner", message="the service broke on it"))
        else:
            self._stops = 0
            if isinstance(outcome, Failure) and outcome.kind == "overloaded":
                await self._put_off(item)  # too much is held to bring its picture here now
            else:
                self._finish(item, outcome)

    async def _put_off(self, item: Item) -> None:
        """It is another's turn, or its own a little later."""
        self._paused_until = max(self._paused_until, time.monotonic() + IDLE_SECONDS)
        await self._return(item)

    def _finish(self, item: Item, outcome: Outcome) -> None:
        self._desk.note(outcome, item.id)
        result = body_of(item.name, outcome)
        self._finished.append(Finished(item=item, result=result, captioned=isinstance(outcome, Caption)))
        self._results.set()

    def _ended(self, item: Item, task: asyncio.Task[None]) -> None:
        """A task that was cancelled, maybe before it began, leaves no result that takes it off the list."""
        if task.cancelled():
            self._leave(item)

    def _leave(self, item: Item) -> None:
        self._held.pop(item.id, None)
        self._news.set()

    def _pause(self, error: RunStopped) -> None:
        """No more from the queue until the model may be usable again: none of it is to fail for that."""
        now = time.monotonic()
        if now >= self._paused_until:
            self._stops += 1
            pause = max(1.0, min(60.0, 2.0 ** (self._stops - 1)))
            self._paused_until = now + pause
            _log.error("model unusable, queue paused seconds=%.0f cause=%s", pause, error)

    async def _return(self, item: Item) -> None:
        try:
            await self._leases.give_back([item.id])
        except SQLAlchemyError:
            self._is_unsure = True
            _log.warning("not given back yet job=%s place=%d", item.job, item.place)
        self._leave(item)

    async def _writing(self) -> None:
        """All results that came while the last ones were written go into one transaction."""
        while True:
            await self._results.wait()
            self._results.clear()
            while self._finished:
                batch = self._finished[:_AT_ONCE]
                try:
                    ended = await self._leases.complete(batch)
                except BaseException:
                    self._results.set()
                    raise
                del self._finished[: len(batch)]
                note_ends(ended)
                for one in batch:
                    self._leave(one.item)
            if self._closing and not self._held:
                return

    async def _beating(self) -> None:
        """Keep what is held, and stop what was cancelled elsewhere or taken by others."""
        while True:
            await asyncio.sleep(min(BEAT_SECONDS, self._leases.seconds / 4))
            held = list(self._held.values())
            if held or self._is_unsure:
                ours = await self._leases.renew()
                for lost in [one for one in held if one.item.id not in ours]:
                    lost.task.cancel()
                if self._is_unsure:
                    await self._give_back_forgotten(ours - self._held.keys())

    async def _give_back_forgotten(self, forgotten: set[Place]) -> None:
        """Else they would be renewed for ever: they are ours, and nobody works on them.

        Only those that were so a beat ago: the others may just have been claimed.
        """
        if still := forgotten & self._forgotten:
            await self._leases.give_back(still)
        self._forgotten = forgotten - still
        self._is_unsure = bool(forgotten)

    async def _expiring(self) -> None:
        while True:
            while await self._store.expire(self._keep_seconds):
                pass
            await asyncio.sleep(EXPIRY_SECONDS)
