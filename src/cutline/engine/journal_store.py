"""Where a shard keeps its outcomes as soon as they are known."""

from __future__ import annotations

from typing import Protocol

from cutline.records import Outcome, Sample, Step


class JournalStore(Protocol):
    """A durable record of outcomes; ``Journal``, a file of this machine, is the local form."""

    def get(self, key: str) -> Outcome | None:
        """What an earlier run left for ``key``, unless that has to be done again."""

    def steps(self, sample: Sample) -> tuple[Step, ...]:
        """Replies about the sample's picture that are no whole outcome, the last of each step."""

    def earlier(self, key: str) -> Outcome | None:
        """The last caption of ``key`` from before it was dropped."""

    def append(self, outcome: Outcome) -> None:
        """Keep an outcome; it survives the death of the process from now on.

        Raises:
            SinkError: it cannot be written.
        """

    def append_step(self, key: str, stamp: str, step: Step) -> None:
        """Keep one reply about a picture that needs more; raises as ``append``."""

    def sync(self) -> None:
        """Make everything survive the loss of power too."""
