"""The queue as workers use it: pictures are leased, and free for others once a lease has expired."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import os
import secrets
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Final

import orjson
import sqlalchemy as sa

from cutline.formatting import without_signatures
from cutline.process_ids import is_gone, this_machine
from cutline.records import JSON
from cutline.service.queue.schema import Database, items, jobs, uploads
from cutline.service.queue.store import (
    CANCELLED,
    COMPLETED,
    DONE,
    FAILED,
    IN_PROGRESS,
    JOBS,
    QUEUED,
    RUNNING,
    JobState,
)

_log = logging.getLogger("cutline.service.queue")

MAX_DEATHS: Final = 5  # of workers that held a picture, the last ones it alone
_SUSPECT_DEATHS: Final = 2  # one may be a power cut, or a kill: it says nothing about what was under way
_NOBODY: Final = ""
_ENDED: Final = 1.0  # long ago; 0 is the lease of one whose death is noted

Place = tuple[str, int]
"""A job's id and the picture's index in it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A leased picture of a job. ``attempts`` counts this lease and those lost with their workers."""

    job: str
    place: int
    name: str
    kind: str
    options: bytes
    attempts: int

    @property
    def is_suspect(self) -> bool:
        """Whether so many workers died that held it, others with it, that it has to be tried alone."""
        return self.attempts > _SUSPECT_DEATHS

    @property
    def id(self) -> Place:
        return self.job, self.place


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The public JSON of a picture's outcome, ready to be stored."""

    item: Item
    data: JSON
    captioned: bool


class Leases:
    """The pictures of one worker. It writes their results only while it holds their leases."""

    def __init__(self, database: Database, *, seconds: float) -> None:
        machine = this_machine()
        self._here = hashlib.sha256(machine.encode()).hexdigest()[:12] if machine else secrets.token_hex(6)
        self.owner = f"{self._here}{os.getpid():08x}{secrets.token_hex(6)}"
        self.seconds = seconds
        self.is_idle = True
        self.skips_urls = False
        self._database = database

    async def claim(self, limit: int) -> list[Item]:
        """Lease the next pictures, those of dead workers first.

        Suspects are leased alone: one of them while ``is_idle``, by one worker at a time. The others go on
        with the rest. With ``skips_urls`` no pictures are leased that have to be downloaded first.
        """
        if not await self._database.read(self._is_any_free):  # reading needs no lock
            return []
        claimed, deaths = await self._database.write(lambda some: self._claim(some, limit))
        for lost in deaths:
            _log.warning(
                "worker died, pictures taken over pictures=%d tried_alone=%d given_up=%d lease_seconds=%g",
                len(lost),
                sum(_SUSPECT_DEATHS <= deaths < MAX_DEATHS for deaths in lost),
                sum(deaths >= MAX_DEATHS for deaths in lost),
                self.seconds,
            )
        return claimed

    def _is_any_free(self, connection: sa.Connection) -> bool:
        return any(connection.execute(some.limit(1)).first() for some in (self._lost, self._waiting))

    @property
    def _waiting(self) -> sa.Select[tuple[str, int]]:
        return self._without_urls(_PICTURES.where(items.c.status == QUEUED))

    @property
    def _lost(self) -> sa.Select[tuple[str, int]]:
        """Pictures of dead workers; a query of its own, as each has its index."""
        return _PICTURES.where(self._of_others & (items.c.lease < self._database.now))

    @property
    def _of_others(self) -> sa.ColumnElement[bool]:
        return (items.c.status == RUNNING) & (items.c.owner != self.owner)  # ours are renewed, however late

    def _without_urls(self, query: sa.Select[tuple[str, int]]) -> sa.Select[tuple[str, int]]:
        return query.where(items.c.kind != "url") if self.skips_urls else query

    def _claim(self, connection: sa.Connection, limit: int) -> tuple[list[Item], list[list[int]]]:
        """The pictures, and what ``_note_deaths`` found."""
        deaths = self._note_deaths(connection)
        places = self._next(connection, limit)
        if not places:
            return [], deaths
        ours = sa.tuple_(items.c.job, items.c.place).in_(places)
        lease = self._database.now + self.seconds
        connection.execute(
            items.update()
            .where(ours)
            .values(status=RUNNING, owner=self.owner, lease=lease, attempts=items.c.attempts + 1)
        )
        options = jobs.c.options.label("options")
        columns = (items.c.job, items.c.place, items.c.name, items.c.kind, options, items.c.attempts)
        claimed = sa.select(*columns).join(jobs, jobs.c.id == items.c.job).where(ours).order_by(items.c.turn)
        return [Item(**row._asdict()) for row in connection.execute(claimed)], deaths

    def _note_deaths(self, connection: sa.Connection) -> list[list[int]]:
        """For each worker found dead now: how many died over each of its pictures, it included.

        Its pictures are free from now on. They keep their owner: one that was only late renews them again.
        """
        expired = self._of_others & (items.c.lease > 0) & (items.c.lease < self._database.now)
        dead = list(connection.scalars(sa.select(items.c.owner).where(expired).distinct()))
        if not dead:
            return []
        theirs = self._of_others & (items.c.lease > 0) & items.c.owner.in_(dead)  # newer leases too
        found = sa.select(items.c.owner, items.c.attempts).where(theirs).with_for_update(skip_locked=True)
        deaths: defaultdict[str, list[int]] = defaultdict(list)
        for row in connection.execute(found):
            deaths[row.owner].append(row.attempts)
        connection.execute(items.update().where(theirs, items.c.owner.in_(list(deaths))).values(lease=0.0))
        return list(deaths.values())

    async def end_leases_of_dead(self) -> None:
        """Let the leases end now whose processes were on this machine and are gone."""
        leased = self._of_others & (items.c.lease > self._database.now)
        owners = sa.select(items.c.owner).where(leased, items.c.owner.startswith(self._here)).distinct()
        found = await self._database.read(lambda some: list(some.scalars(owners)))
        dead = [owner for owner in found if is_gone(int(owner.removeprefix(self._here)[:8], 16))]
        if dead:
            theirs = self._of_others & items.c.owner.in_(dead)
            ended = items.update().where(theirs).values(lease=_ENDED)
            await self._database.write(lambda some: some.execute(ended))

    def _next(self, connection: sa.Connection, limit: int) -> list[Place]:
        """Locked: those to be given up, or a suspect, or as many others as there is room for."""

        def locked(query: sa.Select[tuple[str, int]], most: int) -> list[Place]:
            rows = connection.execute(query.limit(most).with_for_update(skip_locked=True))
            return [(row.job, row.place) for row in rows]

        if given_up := locked(self._lost.where(items.c.attempts >= MAX_DEATHS), limit):
            return given_up
        suspects = self._lost.where(items.c.attempts >= _SUSPECT_DEATHS)
        if connection.execute(suspects.limit(1)).first() and not self._is_one_tried(connection):
            return locked(suspects, 1) if self.is_idle else []
        places = locked(self._without_urls(self._lost.where(items.c.attempts < _SUSPECT_DEATHS)), limit)
        return places + locked(self._waiting, limit - len(places))

    def _is_one_tried(self, connection: sa.Connection) -> bool:
        """Whether another worker has a suspect."""
        held = self._of_others & (items.c.lease >= self._database.now)
        tried = _PICTURES.where(held, items.c.attempts > _SUSPECT_DEATHS).limit(1)
        return connection.execute(tried).first() is not None

    async def begin(self, started: Iterable[str]) -> None:
        """Mark these jobs as in progress.

        Not in ``claim``: whoever locks both jobs and items locks the jobs first, to avoid deadlocks.
        """
        ids = sorted(set(started))
        await self._database.write(
            lambda connection: connection.execute(
                jobs.update().where(jobs.c.id.in_(ids), jobs.c.status == QUEUED).values(status=IN_PROGRESS)
            )
        )

    async def renew(self) -> set[Place]:
        """Extend all leases; returns the pictures that are still ours, which cancelled ones are not."""
        mine = (items.c.owner == self.owner) & (items.c.status == RUNNING)

        def extend(connection: sa.Connection) -> set[Place]:
            connection.execute(items.update().where(mine).values(lease=self._database.now + self.seconds))
            held = sa.select(items.c.job, items.c.place).where(mine)
            return {(row.job, row.place) for row in connection.execute(held)}

        return await self._database.write(extend)

    async def upload(self, item: Item) -> bytes | None:
        """The uploaded bytes; None if the job was cancelled in the meantime."""
        data = sa.select(uploads.c.data).where(uploads.c.job == item.job, uploads.c.place == item.place)
        return await self._database.read(lambda connection: connection.scalar(data))

    async def complete(self, results: list[Result]) -> list[JobState]:
        """Write results, and end the jobs that are complete; returns those."""
        return await self._database.write(lambda connection: self._complete(connection, results))

    def _complete(self, connection: sa.Connection, results: list[Result]) -> list[JobState]:
        ids = sorted({one.item.job for one in results})
        connection.execute(
            sa.select(jobs.c.id).where(jobs.c.id.in_(ids)).order_by(jobs.c.id).with_for_update()
        )
        captioned: Counter[str] = Counter()
        failed: Counter[str] = Counter()
        for one in results:
            mine = (items.c.job == one.item.job) & (items.c.place == one.item.place)
            mine &= (items.c.owner == self.owner) & (items.c.status == RUNNING)
            values = {"status": DONE, "owner": None, "lease": None, "result": orjson.dumps(one.data)}
            values["name"] = without_signatures(one.item.name)  # its download was the last use of them
            if connection.execute(items.update().where(mine).values(**values)).rowcount:
                (captioned if one.captioned else failed)[one.item.job] += 1
                if one.item.kind == "upload":
                    sent = (uploads.c.job == one.item.job) & (uploads.c.place == one.item.place)
                    connection.execute(uploads.delete().where(sent))
        changed = [job for job in ids if captioned[job] or failed[job]]
        for job in changed:
            self._count(connection, job, captioned[job], failed[job])
        ended = JOBS.where(jobs.c.id.in_(changed), jobs.c.status.in_((COMPLETED, FAILED)))
        return [JobState(**row._asdict()) for row in connection.execute(ended)] if changed else []

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

    async def release(self, places: Iterable[Place] | None = None) -> None:
        """Return these pictures, or all of this worker, to the queue without counting the attempt."""
        mine = (items.c.owner == self.owner) & (items.c.status == RUNNING)
        if places is not None:
            mine &= sa.tuple_(items.c.job, items.c.place).in_(list(places))
        is_new = items.c.attempts == 1
        values = {
            "status": sa.case((is_new, QUEUED), else_=RUNNING),
            "owner": sa.case((is_new, sa.null()), else_=_NOBODY),  # it stays one of a dead worker's
            "lease": sa.case((is_new, sa.null()), else_=0.0),
            "attempts": items.c.attempts - 1,
        }
        await self._database.write(
            lambda connection: connection.execute(items.update().where(mine).values(**values))
        )


_PICTURES: Final = sa.select(items.c.job, items.c.place).order_by(items.c.turn)
