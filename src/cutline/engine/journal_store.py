"""The durable record of outcomes that a shard writes to."""

from __future__ import annotations

from typing import Protocol

from cutline.records import Outcome, Sample, Step


class JournalStore(Protocol):
    """A durable record of outcomes; ``Journal``, a local file, is its only form so far."""

    def get(self, key: str) -> Outcome | None:
        """What an earlier run left for ``key``, unless that is to be repeated."""

    def steps(self, sample: Sample) -> tuple[Step, ...]:
        """Replies about the sample's picture that are no whole outcome, the last of each step."""

    def earlier(self, key: str) -> Outcome | None:
        """The last caption of ``key`` from before it was dropped."""

    def append(self, outcome: Outcome) -> None:
        """Keep an outcome, durable if the process dies; raises SinkError where it cannot be written."""

    def append_step(self, key: str, content_id: str, step: Step) -> None:
        """Keep one reply about a picture that needs more; raises as ``append``."""

    def sync(self) -> None:
        """Make everything survive a power loss too."""
