"""The queue as clients use it: jobs that outlive the process, their pictures and results.

Several processes, on several machines when the database is PostgreSQL, share one store. How workers
share the pictures: ``leases``.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import logging
import secrets
import time
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import orjson
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from cutline.records import JSON
from cutline.service.queue.schema import Database, items, jobs, traces, uploads

QUEUED, RUNNING, DONE, CANCELLED = "queued", "running", "done", "cancelled"
COMPLETED, FAILED, IN_PROGRESS = "completed", "failed", "in_progress"
PACE: Final = 0.1
"""Seconds by which each picture of a job queues behind the one before: a large job does not hold up a small
one that comes later, and none starves."""
_MAX_EXPIRED: Final = 20  # jobs that one transaction deletes

_log = logging.getLogger("cutline.service.queue")

Kind: TypeAlias = Literal["path", "upload", "url"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """A picture of a new job; an upload's bytes are ``data``."""

    name: str
    kind: Kind
    data: bytes | None = dataclasses.field(default=None, repr=False)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job to submit. ``options`` is JSON, ``key`` the idempotency key, ``trace`` has a trace's headers."""

    pictures: tuple[NewItem, ...]
    options: bytes
    webhook: str | None = None
    key: str | None = None
    trace: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def digest(self) -> str:
        """Equal for equal jobs."""
        total = hashlib.sha256(self.options)
        for part in (self.webhook or "", *(f"{one.kind} {one.name}" for one in self.pictures)):
            total.update(b"\0" + hashlib.sha256(part.encode()).digest())
        for one in self.pictures:
            total.update(hashlib.sha256(one.data or b"").digest())
        return total.hexdigest()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """A job as clients see it. ``status``: queued, in_progress, completed, failed or cancelled."""

    id: str
    status: str
    created: float
    ended: float | None
    total: int
    captioned: int
    failed: int

    @property
    def has_ended(self) -> bool:
        return self.ended is not None

    @property
    def remaining(self) -> int:
        """Pictures without an outcome; once the job has ended they are the cancelled ones."""
        return self.total - self.captioned - self.failed

    def log_end(self) -> None:
        _log.info(
            "job ended job=%s status=%s captioned=%d failed=%d cancelled=%d seconds=%.1f",
            self.id,
            self.status,
            self.captioned,
            self.failed,
            self.remaining,
            (self.ended or self.created) - self.created,
        )


class QueueFull(Exception):
    """More pictures than are allowed: ``waiting`` are in the queue already."""

    def __init__(self, waiting: int) -> None:
        super().__init__(f"{waiting} pictures are waiting")
        self.waiting = waiting


class KeyReused(Exception):
    """An idempotency key was used for another request before."""


class Store:
    """Submits, reads, cancels and expires jobs."""

    def __init__(self, database: Database, *, max_waiting: int) -> None:
        self._database = database
        self._max_waiting = max_waiting

    async def submit(self, new: NewJob) -> str:
        """The job's id, once it is on disk, or the earlier job's for its key; raises QueueFull, KeyReused."""
        digest = await asyncio.to_thread(new.digest)

        def insert(connection: sa.Connection) -> str:
            known = _known(connection, new.key, digest)
            if known is not None:
                return known
            waiting = connection.scalar(_WAITING) or 0
            if waiting + len(new.pictures) > self._max_waiting:
                raise QueueFull(waiting)
            # An id that cannot be guessed, and sorts by its time.
            job, created = f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}", time.time()
            values = {"id": job, "created": created, "status": QUEUED, "total": len(new.pictures)}
            values |= {"options": new.options, "idempotency_key": new.key, "digest": digest}
            connection.execute(jobs.insert().values(**values, webhook=new.webhook))
            rows, sent = [], []
            for place, one in enumerate(new.pictures):
                key = {"job": job, "place": place}
                name = one.name.replace("\0", "\\0")  # PostgreSQL accepts no NUL
                turn = created + place * PACE
                rows.append({**key, "turn": turn, "name": name, "kind": one.kind, "status": QUEUED})
                if one.data is not None:
                    sent.append({**key, "data": one.data})
            connection.execute(items.insert(), rows)
            if sent:
                connection.execute(uploads.insert(), sent)
            if new.trace:
                connection.execute(traces.insert().values(job=job, headers=orjson.dumps(new.trace)))
            return job

        try:
            return await self._database.write(insert)
        except IntegrityError:
            # PostgreSQL: another transaction inserted the same key at the same time.
            known = await self._database.read(lambda some: _known(some, new.key, digest))
            if known is None:
                raise
            return known

    async def job(self, job: str) -> JobState | None:
        """The job; None if it is unknown or expired."""

        def read(connection: sa.Connection) -> JobState | None:
            row = connection.execute(JOBS.where(jobs.c.id == job)).first()
            return JobState(**row._asdict()) if row else None

        return await self._database.read(read)

    async def trace(self, job: str) -> Mapping[str, str]:
        """The headers of the trace that the job belongs to; none if it has no trace."""
        query = sa.select(traces.c.headers).where(traces.c.job == job)
        found = await self._database.read(lambda connection: connection.scalar(query))
        headers: dict[str, str] = orjson.loads(found) if found is not None else {}
        return headers

    async def results(self, job: str, *, after: int = -1, limit: int | None = None) -> list[JSON]:
        """The results of its pictures so far, in the order in which they were sent.

        With ``limit`` at most that many of those after the picture with the index ``after``.
        """
        query = (
            sa.select(items.c.place, items.c.result)
            .where(items.c.job == job, items.c.status == DONE, items.c.place > after)
            .order_by(items.c.place)
            .limit(limit)
        )

        def read(connection: sa.Connection) -> list[JSON]:
            return [{"index": place, **orjson.loads(result)} for place, result in connection.execute(query)]

        return await self._database.read(read)

    async def jobs(self, *, limit: int, before: str | None = None) -> list[JobState]:
        """The newest jobs, or those older than the job ``before``."""
        query = JOBS.order_by(jobs.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(jobs.c.id < before)
        return await self._database.read(
            lambda some: [JobState(**row._asdict()) for row in some.execute(query)]
        )

    async def waiting(self) -> int:
        """How many pictures have no outcome yet."""
        return await self._database.read(lambda connection: connection.scalar(_WAITING) or 0)

    async def cancel(self, job: str) -> bool:
        """End a job; False if it had ended or is unknown. Its workers notice within two seconds."""

        def end(connection: sa.Connection) -> bool:
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

        return await self._database.write(end)

    async def expire(self, seconds: float) -> int:
        """Delete some of the jobs that ended so long ago; returns how many."""
        old = sa.select(jobs.c.id).where(jobs.c.ended < self._database.now - seconds).limit(_MAX_EXPIRED)

        def delete(connection: sa.Connection) -> int:
            ids = list(connection.scalars(old))
            if ids:
                connection.execute(jobs.delete().where(jobs.c.id.in_(ids)))
            return len(ids)

        return await self._database.write(delete)


JOBS: Final = sa.select(
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


def _known(connection: sa.Connection, key: str | None, digest: str) -> str | None:
    if key is None:
        return None
    query = sa.select(jobs.c.id, jobs.c.digest).where(jobs.c.idempotency_key == key)
    row = connection.execute(query).first()
    if row is None:
        return None
    if row.digest != digest:
        raise KeyReused
    return str(row.id)
