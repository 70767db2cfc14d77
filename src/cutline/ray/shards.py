"""The shards of a run at the driver: which are left, what came of each, and what is written next."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from cutline.engine.reorder import Entry, Reorder
from cutline.interfaces import Source
from cutline.ray.messages import ShardWork

_LARGE, _USUAL, _SMALL = 1024, 256, 128  # samples of a shard
_MOST_SHARDS = 20_000
_FEW = 8  # parts for each worker, with which the last ones are split
_MOST_SPLIT = 16  # of these: a list is read for each
_AHEAD = 4  # shards of each worker that may be done before the one that is written


@dataclasses.dataclass(slots=True, kw_only=True)
class Shard:
    """One part of the source.

    ``received`` outcomes came, of which ``written`` are in the output; ``begun`` means that a worker has had
    it. ``deaths`` counts the workers that died over it, ``under_way`` has the keys that the last of them had
    announced, with their content ids.
    """

    number: int
    source: Source
    stop: int | None
    entries: Reorder
    received: int = 0
    written: int = 0
    begun: bool = False
    is_done: bool = False
    deaths: int = 0
    under_way: dict[str, str] = dataclasses.field(default_factory=dict)
    suspects: frozenset[str] = frozenset()

    def work(self, *, has_history: bool) -> ShardWork:
        """What a worker is to do for it now."""
        return ShardWork(
            number=self.number,
            source=self.source,
            start=self.received,
            stop=self.stop,
            has_history=has_history or self.begun,
            is_watched=self.deaths > 0,
            suspects=self.suspects,
        )

    def put(self, entry: Entry) -> None:
        self.entries.put(self.received, entry)
        self.received += 1


class Shards:
    """Hands shards out in order, not far ahead of what is written."""

    def __init__(self, shards: Sequence[Shard]) -> None:
        self._shards = shards
        self._left = collections.deque(shards)
        self.current = 0

    @classmethod
    def of(
        cls, source: Source, *, per_task: int | None, workers: int, limit: int | None, folder: Path
    ) -> Shards:
        """Split a source; blocks."""
        parts = _parts(source, per_task, workers)
        shards = []
        for number, part in enumerate(parts):
            stop = None
            if limit is not None:
                if limit <= 0:
                    break
                size = part.count() if len(parts) > 1 else limit
                if size is None:
                    size = sum(1 for _ in part.samples())
                stop, limit = min(size, limit), limit - size
            shards.append(Shard(number=number, source=part, stop=stop, entries=Reorder(folder)))
        return cls(shards)

    def next(self, workers: int) -> Shard | None:
        """The next one to work on; None where none is left, or it is too far ahead."""
        if self._left and self._left[0].number <= self.current + _AHEAD * max(1, workers):
            return self._left.popleft()
        return None

    def give_back(self, shard: Shard) -> None:
        """Hand it out again, before the others."""
        later = [*self._left, shard]
        self._left = collections.deque(sorted(later, key=lambda one: one.number))

    @property
    def are_left(self) -> bool:
        return bool(self._left)

    @property
    def first(self) -> Shard | None:
        """The one that is written now; None after the last."""
        return self._shards[self.current] if self.current < len(self._shards) else None

    def step(self) -> None:
        """Go on to the next one, as the first is written."""
        self._shards[self.current].entries.close()
        self.current += 1

    @property
    def waiting(self) -> int:
        """Outcomes that are not in the output yet."""
        return sum(shard.received - shard.written for shard in self._shards[self.current :])

    @property
    def are_done(self) -> bool:
        return self.current == len(self._shards)

    def close(self) -> None:
        for shard in self._shards[self.current :]:
            shard.entries.close()


def _parts(source: Source, per_task: int | None, workers: int) -> list[Source]:
    """Large parts, as no worker is busy at the end of one, and small ones last, so that all end together."""
    total = source.count()
    if total is None:
        return list(source.shards(_MOST_SHARDS))
    size = per_task or min(_LARGE, max(_USUAL, total // (4 * workers)))
    parts = list(source.shards(max(workers, min(-(-total // size), _MOST_SHARDS))))
    if per_task is not None:
        return parts
    last = min(workers, _MOST_SPLIT) if len(parts) <= _FEW * workers else 0
    pieces = max(1, total // len(parts) // _SMALL)
    split = (piece for part in parts[len(parts) - last :] for piece in part.shards(pieces))
    return [*parts[: len(parts) - last], *split]
