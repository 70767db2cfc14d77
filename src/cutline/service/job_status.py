"""The state of a queued job."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Task:
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
