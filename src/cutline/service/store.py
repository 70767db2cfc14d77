"""The queue that outlives the process: jobs, their pictures and what became of them, in a database.

Several processes, on several machines when the database is PostgreSQL, share one store. A picture that
is being captioned is leased: when its worker dies the lease runs out, and another takes it up again.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import sqlalchemy as sa

QUEUED, RUNNING, DONE, CANCELLED = "queued", "running", "done", "cancelled"
LEASE: Final = 30.0  # seconds
_AT_ONCE: Final = 500  # rows in one statement

_tables = sa.MetaData()
_jobs = sa.Table(
    "jobs",
    _tables,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("number", sa.Integer, sa.Identity(), nullable=True),
    sa.Column("created", sa.Float, nullable=False, index=True),
    sa.Column("ended", sa.Float, index=True),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("wish", sa.LargeBinary, nullable=False),
    sa.Column("idempotency_key", sa.String(255), unique=True),
    sa.Column("digest", sa.String(64)),
    sa.Column("webhook", sa.Text),
    sa.Column("webhook_state", sa.String(16)),
    sa.Column("webhook_attempts", sa.Integer, nullable=False, default=0),
    sa.Column("webhook_next", sa.Float),
)
_items = sa.Table(
    "items",
    _tables,
    sa.Column("job", sa.String(36), sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("place", sa.Integer, primary_key=True),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("data", sa.LargeBinary),
    sa.Column("status", sa.String(12), nullable=False),
    sa.Column("owner", sa.String(64)),
    sa.Column("lease", sa.Float),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("result", sa.LargeBinary),
    sa.Index("items_to_do", "status", "created", "job", "place"),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A picture of a job. ``kind``: ``path``, ``url`` or ``upload``, whose bytes are ``data``."""

    job: str
    place: int
    name: str
    kind: str
    data: bytes | None = dataclasses.field(default=None, repr=False)
    wish: bytes = b"{}"
    attempts: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A job as clients see it. ``status``: queued, in_progress, completed, failed or cancelled."""

    id: str
    status: str
    created: float
    total: int
    done: int
    failed: int
    cancelled: int


class QueueFull(Exception):
    """``waiting`` pictures are in the queue, more than are allowed."""

    def __init__(self, waiting: int) -> None:
        super().__init__(f"{waiting} pictures wait")
        self.waiting = waiting


class KeyReused(Exception):
    """An idempotency key came again with another request."""
