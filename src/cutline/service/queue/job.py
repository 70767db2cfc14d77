"""The state of a queued job."""

from __future__ import annotations

import dataclasses
import logging

_log = logging.getLogger("cutline.service.queue")


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
