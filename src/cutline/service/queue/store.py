"""The queue as clients use it: jobs that outlive the process, their pictures and what became of them.

Several processes, on several machines when the database is PostgreSQL, share one store. How workers
share the pictures is in ``leases``.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import secrets
import time
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

import orjson
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from cutline.records import JSON
from cutline.service.job_status import Task
from cutline.service.queue.schema import Database, items, jobs, traces, uploads

QUEUED, RUNNING, DONE, CANCELLED = "queued", "running", "done", "cancelled"
COMPLETED, FAILED, IN_PROGRESS = "completed", "failed", "in_progress"
PACE: Final = 0.1
"""Seconds by which each picture of a job stands further back in the queue: a large job does not hold up a
small one that comes later, and none waits for ever."""
_AT_ONCE: Final = 20  # jobs that one transaction deletes

Kind: TypeAlias = Literal["path", "upload", "url"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """A picture of a new job; an upload's bytes are ``data``."""

    name: str
    kind: Kind
    data: bytes | None = dataclasses.field(default=None, repr=False)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A new job. ``wish`` is JSON, ``key`` the client's idempotency key, ``trace`` its trace's headers."""

    pictures: tuple[Ordered, ...]
    wish: bytes
    webhook: str | None = None
    key: str | None = None
    trace: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def digest(self) -> str:
        """Equal for orders that ask for the same."""
        total = hashlib.sha256(self.wish)
        for part in (self.webhook or "", *(f"{one.kind} {one.name}" for one in self.pictures)):
            total.update(b"\0" + hashlib.sha256(part.encode()).digest())
        for one in self.pictures:
            total.update(hashlib.sha256(one.data or b"").digest())
        return total.hexdigest()


class QueueFull(Exception):
    """``waiting`` pictures are in the queue, more than are allowed."""

    def __init__(self, waiting: int) -> None:
        super().__init__(f"{waiting} pictures wait")
        self.waiting = waiting


class KeyReused(Exception):
    """An idempotency key came again with another request."""


class Store:
    """Takes jobs, tells of them, cancels and forgets them."""

    def __init__(self, database: Database, *, most_waiting: int) -> None:
        self._database = database
        self._most_waiting = most_waiting

    async def submit(self, order: Order) -> str:
        """The job's id, once it is on the disk; an earlier job's where the key came before.

        Raises:
            QueueFull: too many pictures wait already.
            KeyReused: the key came with another order.
        """
        digest = await asyncio.to_thread(order.digest)

        def inserting(connection: sa.Connection) -> str:
            known = _known(connection, order.key, digest)
            if known is not None:
                return known
            waiting = connection.scalar(_WAITING) or 0
            if waiting + len(order.pictures) > self._most_waiting:
                raise QueueFull(waiting)
            job, created = _new_id(), time.time()
            values = {"id": job, "created": created, "status": QUEUED, "total": len(order.pictures)}
            values |= {"wish": order.wish, "idempotency_key": order.key, "digest": digest}
            connection.execute(jobs.insert().values(**values, webhook=order.webhook))
            connection.execute(items.insert(), _rows(job, created, order))
            sent = [
                {"job": job, "place": place, "data": one.data}
                for place, one in enumerate(order.pictures)
                if one.data is not None
            ]
            if sent:
                connection.execute(uploads.insert(), sent)
            if order.trace:
                connection.execute(traces.insert().values(job=job, headers=orjson.dumps(order.trace)))
            return job

        try:
            return await self._database.write(inserting)
        except IntegrityError:
            # PostgreSQL: the same key was inserted at the same time, and is there now.
            known = await self._database.read(lambda some: _known(some, order.key, digest))
            if known is None:
                raise
            return known

    async def task(self, job: str) -> Task | None:
        """None for an unknown or expired one."""

        def reading(connection: sa.Connection) -> Task | None:
            row = connection.execute(TASKS.where(jobs.c.id == job)).first()
            return Task(**row._asdict()) if row else None

        return await self._database.read(reading)

    async def trace(self, job: str) -> Mapping[str, str]:
        """The headers of the trace that it is part of; none where nobody traced."""
        wanted = sa.select(traces.c.headers).where(traces.c.job == job)
        found = await self._database.read(lambda connection: connection.scalar(wanted))
        headers: dict[str, str] = orjson.loads(found) if found is not None else {}
        return headers

    async def results(self, job: str) -> list[JSON]:
        """What has become of its pictures so far, in the order in which they were sent."""
        wanted = (
            sa.select(items.c.place, items.c.result)
            .where(items.c.job == job, items.c.status == DONE)
            .order_by(items.c.place)
        )

        def reading(connection: sa.Connection) -> list[JSON]:
            return [{"index": place, **orjson.loads(result)} for place, result in connection.execute(wanted)]

        return await self._database.read(reading)

    async def tasks(self, *, limit: int, before: str | None = None) -> list[Task]:
        """The newest jobs, or the next older ones than the job ``before``."""
        wanted = TASKS.order_by(jobs.c.id.desc()).limit(limit)
        if before is not None:
            wanted = wanted.where(jobs.c.id < before)
        return await self._database.read(lambda some: [Task(**row._asdict()) for row in some.execute(wanted)])

    async def waiting(self) -> int:
        """Pictures that have no outcome yet."""
        return await self._database.read(lambda connection: connection.scalar(_WAITING) or 0)

    async def cancel(self, job: str) -> bool:
        """End a job; False where it had ended or is unknown. Its workers notice within a second or two."""

        def cancelling(connection: sa.Connection) -> bool:
            now = self._database.now
            ended = connection.execute(
                jobs.update()
                .where(jobs.c.id == job, jobs.c.ended.is_(None))
                .values(status=CANCELLED, ended=now, webhook_due=sa.case((jobs.c.webhook.isnot(None), now)))
            )
            if not ended.rowcount:
                return False
            open_items = (items.c.job == job) & items.c.status.in_((QUEUED, RUNNING))
            connection.execute(items.update().where(open_items).values(status=CANCELLED, owner=None))
            connection.execute(uploads.delete().where(uploads.c.job == job))
            return True

        return await self._database.write(cancelling)

    async def expire(self, seconds: float) -> int:
        """Forget jobs that ended so long ago; returns how many, a few at a time."""
        old = sa.select(jobs.c.id).where(jobs.c.ended < self._database.now - seconds).limit(_AT_ONCE)

        def deleting(connection: sa.Connection) -> int:
            ids = list(connection.scalars(old))
            if ids:
                connection.execute(jobs.delete().where(jobs.c.id.in_(ids)))
            return len(ids)

        return await self._database.write(deleting)


TASKS: Final = sa.select(
    jobs.c.id,
    jobs.c.status,
    jobs.c.created,
    jobs.c.ended,
    jobs.c.total,
    jobs.c.captioned,
    jobs.c.failed,
)
_WAITING: Final = sa.select(
    sa.func.sum(jobs.c.total - jobs.c.captioned - jobs.c.failed).cast(sa.Integer)
).where(jobs.c.ended.is_(None))


def _rows(job: str, created: float, order: Order) -> list[dict[str, Any]]:
    return [
        {
            "job": job,
            "place": place,
            "turn": created + place * PACE,
            "name": one.name.replace("\0", "\\0"),  # which PostgreSQL does not take
            "kind": one.kind,
            "status": QUEUED,
        }
        for place, one in enumerate(order.pictures)
    ]


def _known(connection: sa.Connection, key: str | None, digest: str) -> str | None:
    if key is None:
        return None
    wanted = sa.select(jobs.c.id, jobs.c.digest).where(jobs.c.idempotency_key == key)
    row = connection.execute(wanted).first()
    if row is None:
        return None
    if row.digest != digest:
        raise KeyReused
    return str(row.id)


def _new_id() -> str:
    """Cannot be guessed, and sorts by its time."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"
