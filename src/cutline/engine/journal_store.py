"""The durable record of outcomes that a shard writes to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cutline.engine.repeats import RequestId, Shared
from cutline.records import Outcome, Step


class JournalStore(Protocol):
    """A durable record of outcomes; ``Journal``, a local file, is its only form so far.

    ``trusted``: outcomes that do not record what they were made from count as those of their keys.
    ``has_repeats``: whether ``alike`` finds what this run appends, at some memory for each.
    """

    trusted: bool
    has_repeats: bool

    @property
    def has_history(self) -> bool:
        """Whether earlier runs left outcomes or replies."""

    def get(self, key: str) -> Outcome | None:
        """What an earlier run left for ``key``, unless that is to be repeated."""

    def steps(self, key: str) -> Sequence[tuple[str, tuple[Step, ...]]]:
        """Replies that are no whole outcome, in their order, with the ids of the contents they are about."""

    def earlier(self, key: str) -> Outcome | None:
        """The last caption of ``key`` from before it was dropped."""

    async def alike(self, key: str, wanted: RequestId) -> Shared | None:
        """The outcome of another row with the same picture and prompt, as ``request_id`` tells; or None.

        Waits for that where another process works on it.
        """

    def append(self, outcome: Outcome) -> None:
        """Keep an outcome, durable if the process dies; raises SinkError where it cannot be written."""

    def append_content(self, key: str, content_id: str) -> None:
        """Record that the outcome of ``key`` is about this content too; raises as ``append``."""

    def append_step(self, key: str, content_id: str, step: Step) -> None:
        """Keep one reply about a picture that needs more; raises as ``append``."""

    def sync(self) -> None:
        """Make everything survive a power loss too."""
