"""The shards of a run at the driver: which are left, the state of each, and which is written next."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from cutline.engine.reorder import Entry, PictureMemory, Reorder
from cutline.engine.repeats import RequestId
from cutline.interfaces import Source
from cutline.ray.messages import ShardWork

_LARGE, _USUAL, _SMALL = 1024, 256, 128  # samples of a shard
_MOST_SHARDS = 20_000
_FEW = 8  # parts for each worker, with which the last ones are split
_MOST_SPLIT = 16  # of these: a list is read for each
_MEMORY = 256_000_000  # bytes of pictures that wait for their turn, of all shards
_AHEAD = 4  # shards of each worker that may be done before the one that is written


@dataclasses.dataclass(slots=True, kw_only=True)
class Shard:
    """One part of the source.

    ``received`` outcomes came, of which ``written`` are in the output; both count those before the mark that
    an earlier run left. ``begun`` means that a worker has had it. ``deaths`` counts the workers that died
    over it, ``under_way`` has the keys that the last of them had announced, with their content ids.
    ``claims``: the requests that it makes for all, by sample; ``compared``: captions without an outcome yet
    that checks remember, with the ids of their pictures.
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
    claims: dict[str, RequestId] = dataclasses.field(default_factory=dict)
    compared: dict[str, tuple[str, str]] = dataclasses.field(default_factory=dict)

    def work(self, *, has_history: bool, flush_every: float) -> ShardWork:
        """What a worker is to do for it now."""
        return ShardWork(
            number=self.number,
            source=self.source,
            start=self.received,
            stop=self.stop,
            has_history=has_history or self.begun,
            is_watched=self.deaths > 0,
            suspects=self.suspects,
            flush_every=flush_every,
        )

    def end(self, key: str) -> None:
        """A sample has its outcome."""
        self.under_way.pop(key, None)
        if key in self.suspects:
            self.suspects -= {key}
        self.compared.pop(key, None)

    def put(self, entry: Entry) -> None:
        self.entries.put(self.received, entry)
        self.received += 1


class Shards:
    """Gives out shards in order, not far ahead of the written ones."""

    def __init__(self, shards: Sequence[Shard], before: Sequence[Source] = ()) -> None:
        """``before``: parts of the source that are done."""
        self._shards = shards
        self.before = before
        self._left = collections.deque(shards)
        self.current = 0

    @classmethod
    def of(
        cls,
        source: Source,
        *,
        per_task: int | None,
        workers: int,
        limit: int | None,
        folder: Path,
        start: int = 0,
    ) -> Shards:
        """Split a source from its sample ``start`` on; blocks."""
        parts, memory = _parts(source, per_task, workers), PictureMemory(_MEMORY)
        shards: list[Shard] = []
        before: list[Source] = []
        begin = 0  # of the part in the source, as far as that matters
        for part in parts:
            if limit is not None and begin >= limit:
                break
            first, stop = max(0, start - begin), None
            if first or limit is not None:
                size = _size(part) if len(parts) > 1 or limit is None else limit
                stop = size if limit is None else min(size, limit - begin)
                begin += size
                if first >= stop:
                    before.append(part)
                    continue
            shards.append(
                Shard(
                    number=len(shards),
                    source=part,
                    stop=stop,
                    entries=Reorder(folder, first=first, memory=memory),
                    received=first,
                    written=first,
                )
            )
        return cls(shards, before)

    def next(self, workers: int) -> Shard | None:
        """The next shard to process; None if none is left, or it is too far ahead."""
        if self._left and self._left[0].number <= self.current + _AHEAD * max(1, workers):
            return self._left.popleft()
        return None

    def give_back(self, shard: Shard) -> None:
        """Give it out again, before the others."""
        later = [*self._left, shard]
        self._left = collections.deque(sorted(later, key=lambda one: one.number))

    @property
    def are_left(self) -> bool:
        return bool(self._left)

    @property
    def first(self) -> Shard | None:
        """The shard that is being written; None after the last."""
        return self._shards[self.current] if self.current < len(self._shards) else None

    def step(self) -> None:
        """Remove the first shard, which is written."""
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


def _size(part: Source) -> int:
    """The number of samples of a source; reads it where it does not know."""
    size = part.count()
    return sum(1 for _ in part.samples()) if size is None else size


def _parts(source: Source, per_task: int | None, workers: int) -> list[Source]:
    """Sizes of parts: large ones first, as each costs idle time, then small ones, to end together."""
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
