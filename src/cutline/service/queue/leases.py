"""The queue as workers use it: pictures are leased, and belong to others when the lease has run out."""

from __future__ import annotations

import dataclasses
import logging
import secrets
from collections import Counter
from collections.abc import Iterable

import orjson
import sqlalchemy as sa

from cutline.records import JSON
from cutline.service.job_status import Task
from cutline.service.queue.schema import Database, items, jobs, uploads
from cutline.service.queue.store import (
    CANCELLED,
    COMPLETED,
    DONE,
    FAILED,
    IN_PROGRESS,
    QUEUED,
    RUNNING,
    TASKS,
)

_log = logging.getLogger("cutline.service.queue.queue")

Place = tuple[str, int]
"""A job's id and the picture's number in it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A picture of a job, leased to us. ``attempts`` counts this one, and those whose workers died."""

    job: str
    place: int
    name: str
    kind: str
    wish: bytes
    attempts: int

    @property
    def id(self) -> Place:
        return self.job, self.place


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    item: Item
    result: JSON
    captioned: bool


class Leases:
    """What one worker holds. All of it is written only as long as the lease is the worker's own."""

    def __init__(self, database: Database, *, seconds: float) -> None:
        self.owner = secrets.token_hex(16)
        self.seconds = seconds
        self._database = database

    async def claim(self, most: int) -> list[Item]:
        """Up to so many pictures whose turn it is; of others too, whose worker has died."""
        if not await self._is_any():
            return []
        claimed, lost = await self._database.write(lambda some: self._claim(some, most))
        if lost:
            _log.warning("worker died, its pictures are taken up pictures=%d seconds=%g", lost, self.seconds)
        return claimed

    async def _is_any(self) -> bool:
        """Asked first, as it does not need the lock that writing does."""
        return await self._database.read(
            lambda some: any(some.execute(wanted.limit(1)).first() for wanted in self._free())
        )

    def _free(self) -> tuple[sa.Select[tuple[str, int]], sa.Select[tuple[str, int]]]:
        """Pictures whose worker died, and those that wait; two questions, as each has its index."""
        places = sa.select(items.c.job, items.c.place).order_by(items.c.turn)
        lost = (items.c.status == RUNNING) & (items.c.lease < self._database.now)
        lost &= items.c.owner != self.owner  # ours are renewed, however late
        return places.where(lost), places.where(items.c.status == QUEUED)

    def _claim(self, connection: sa.Connection, most: int) -> tuple[list[Item], int]:
        """The pictures, and how many of them were a dead worker's."""
        places: list[Place] = []
        counts = []
        for wanted in self._free():
            chosen = wanted.limit(most - len(places)).with_for_update(skip_locked=True)
            places += [(row.job, row.place) for row in connection.execute(chosen)]
            counts.append(len(places))
        if not places:
            return [], 0
        ours = sa.tuple_(items.c.job, items.c.place).in_(places)
        lease = self._database.now + self.seconds
        connection.execute(
            items.update()
            .where(ours)
            .values(status=RUNNING, owner=self.owner, lease=lease, attempts=items.c.attempts + 1)
        )
        columns = (items.c.job, items.c.place, items.c.name, items.c.kind, jobs.c.wish, items.c.attempts)
        claimed = sa.select(*columns).join(jobs, jobs.c.id == items.c.job).where(ours).order_by(items.c.turn)
        return [Item(**row._asdict()) for row in connection.execute(claimed)], counts[0]

    async def begin(self, started: Iterable[str]) -> None:
        """Note that these jobs are not merely queued any more.

        Apart from ``claim``: who holds both jobs and items has locked the jobs first, else two could wait
        for each other.
        """
        ids = sorted(set(started))
        await self._database.write(
            lambda connection: connection.execute(
                jobs.update().where(jobs.c.id.in_(ids), jobs.c.status == QUEUED).values(status=IN_PROGRESS)
            )
        )

    async def renew(self) -> set[Place]:
        """Prolong all; returns what still is ours, which cancelled pictures are not."""
        mine = (items.c.owner == self.owner) & (items.c.status == RUNNING)

        def renewing(connection: sa.Connection) -> set[Place]:
            connection.execute(items.update().where(mine).values(lease=self._database.now + self.seconds))
            wanted = sa.select(items.c.job, items.c.place).where(mine)
            return {(row.job, row.place) for row in connection.execute(wanted)}

        return await self._database.write(renewing)

    async def upload(self, item: Item) -> bytes | None:
        """The bytes that were sent; None when the job was cancelled meanwhile."""
        wanted = sa.select(uploads.c.data).where(uploads.c.job == item.job, uploads.c.place == item.place)
        return await self._database.read(lambda connection: connection.scalar(wanted))

    async def complete(self, finished: list[Finished]) -> list[Task]:
        """Write results, and end the jobs that have all of theirs; returns those."""
        return await self._database.write(lambda connection: self._complete(connection, finished))

    def _complete(self, connection: sa.Connection, finished: list[Finished]) -> list[Task]:
        ids = sorted({one.item.job for one in finished})
        connection.execute(
            sa.select(jobs.c.id).where(jobs.c.id.in_(ids)).order_by(jobs.c.id).with_for_update()
        )
        captioned: Counter[str] = Counter()
        failed: Counter[str] = Counter()
        for one in finished:
            mine = (items.c.job == one.item.job) & (items.c.place == one.item.place)
            mine &= (items.c.owner == self.owner) & (items.c.status == RUNNING)
            values = {"status": DONE, "owner": None, "lease": None, "result": orjson.dumps(one.result)}
            if connection.execute(items.update().where(mine).values(**values)).rowcount:
                (captioned if one.captioned else failed)[one.item.job] += 1
                if one.item.kind == "upload":
                    sent = (uploads.c.job == one.item.job) & (uploads.c.place == one.item.place)
                    connection.execute(uploads.delete().where(sent))
        changed = [job for job in ids if captioned[job] or failed[job]]
        for job in changed:
            self._count(connection, job, captioned[job], failed[job])
        ended = TASKS.where(jobs.c.id.in_(changed), jobs.c.status.in_((COMPLETED, FAILED)))
        return [Task(**row._asdict()) for row in connection.execute(ended)] if changed else []

    def _count(self, connection: sa.Connection, job: str, captioned: int, failed: int) -> None:
        after = jobs.c.captioned + captioned, jobs.c.failed + failed
        is_last = after[0] + after[1] == jobs.c.total
        now = self._database.now
        end = sa.case((after[1] == jobs.c.total, FAILED), else_=COMPLETED)
        connection.execute(
            jobs.update()
            .where(jobs.c.id == job, jobs.c.status != CANCELLED)
            .values(
                captioned=after[0],
                failed=after[1],
                status=sa.case((is_last, end), else_=IN_PROGRESS),
                ended=sa.case((is_last, now)),
                webhook_due=sa.case((is_last & jobs.c.webhook.isnot(None), now)),
            )
        )

    async def give_back(self, given: Iterable[Place] | None = None) -> None:
        """Put these pictures, or all of ours, back into the queue, as if nobody had taken them."""
        mine = (items.c.owner == self.owner) & (items.c.status == RUNNING)
        if given is not None:
            mine &= sa.tuple_(items.c.job, items.c.place).in_(list(given))
        values = {"status": QUEUED, "owner": None, "lease": None, "attempts": items.c.attempts - 1}
        await self._database.write(
            lambda connection: connection.execute(items.update().where(mine).values(**values))
        )
