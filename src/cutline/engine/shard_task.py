"""What a shard is given where it runs, and its result."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from cutline.engine.cancellation import Stop
from cutline.engine.journal_store import JournalStore
from cutline.engine.output import Unwritten
from cutline.engine.reorder import Entry
from cutline.engine.sample_rules import SampleRules
from cutline.engine.stats import RunStats
from cutline.interfaces import Source
from cutline.job import Job
from cutline.locations.fetched import FetchedPictures
from cutline.records import Sample
from cutline.slots import Slots

COMMIT_EVERY = 1.0  # seconds
GRACE = 8.0  # seconds that requests under way get to end when the run is stopped


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ShardTask:
    """The samples of ``source`` from ``start`` up to ``stop``. It pickles, and holds no API keys."""

    job: Job
    source: Source
    rules: SampleRules
    start: int = 0
    stop: int | None = None

    def samples(self) -> Iterator[Sample]:
        return itertools.islice(self.source.samples(), self.start, self.stop)


class ShardOutput(Protocol):
    """Takes the outcomes in the order of the samples. All methods block; one thread calls them."""

    @property
    def folder(self) -> Path:
        """A folder on this machine for what does not fit into memory."""

    @property
    def needs_picture(self) -> bool:
        """Whether ``write`` needs the encoded bytes of a picture that has a caption."""

    def write(self, entries: Iterable[Entry]) -> Sequence[Unwritten]:
        """Returns the captions that could not be written, each with the outcome that it became."""

    def commit(self) -> None:
        """Make everything written so far durable."""


@dataclasses.dataclass(slots=True, kw_only=True)
class ShardHost:
    """What a shard uses where it runs: ``slots`` bound the pictures under way, ``stop`` ends it early.

    ``fetched`` has pictures that need no download.
    """

    journal: JournalStore
    slots: Slots
    stats: RunStats
    stop: Stop
    fetched: FetchedPictures | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ShardResult:
    """``complete``: every sample has its outcome; ``waiting`` outcomes are not in the output yet."""

    complete: bool
    waiting: int
