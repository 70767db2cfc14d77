"""Requests that several samples share: one shard of the run makes each, the others get its outcome."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable
from typing import TypeAlias

from cutline.engine.repeats import RequestId, Shared
from cutline.ray.shards import Shard

Answer: TypeAlias = Callable[[Shared | None], None]


@dataclasses.dataclass(slots=True)
class _Owner:
    """The shard that makes a request, and the number of its samples that wait for it."""

    shard: Shard
    samples: int = 0


class Requests:
    """Who makes which request.

    A shard claims the requests of its samples before it begins them. Whoever claims later waits for it, so
    that nobody waits for a sample that waits itself.
    """

    def __init__(self, outcome_of: Callable[[RequestId], Shared | None]) -> None:
        """``outcome_of``: the outcome of a request, as soon as the journal has it."""
        self._outcome_of = outcome_of
        self._owners: dict[RequestId, _Owner] = {}
        self._waiting: dict[RequestId, collections.deque[tuple[Shard, str, Answer]]] = {}

    def claim(self, request: RequestId, key: str, shard: Shard) -> bool:
        """Whether the shard is to make a sample's request; if not, it must ``wait`` for it."""
        owner = self._owners.get(request)
        if owner is None:
            if self._outcome_of(request) is not None:
                return False
            owner = self._owners[request] = _Owner(shard)
        if owner.shard is not shard:
            return False
        if key not in shard.claims:
            shard.claims[key] = request
            owner.samples += 1
        return True

    def wait(self, request: RequestId, key: str, shard: Shard, answer: Answer) -> None:
        """Call ``answer`` with the outcome of the request; None where the shard is to make it itself."""
        if (found := self._outcome_of(request)) is not None:
            answer(found)
        elif self.claim(request, key, shard):
            answer(None)
        else:
            self._waiting.setdefault(request, collections.deque()).append((shard, key, answer))

    def end(self, key: str, shard: Shard) -> None:
        """A sample has its outcome."""
        request = shard.claims.pop(key, None)
        owner = None if request is None else self._owners.get(request)
        if request is None or owner is None or owner.shard is not shard:
            return
        owner.samples -= 1
        waiting = request in self._waiting
        if not owner.samples or (waiting and self._outcome_of(request) is not None):
            del self._owners[request]
            if waiting:
                self._pass_on(request)

    def _pass_on(self, request: RequestId) -> None:
        for shard, key, answer in self._waiting.pop(request, ()):
            self.wait(request, key, shard, answer)

    def release(self, shard: Shard) -> None:
        """No worker has the shard any more: others make its requests."""
        for request, waiting in list(self._waiting.items()):
            kept = collections.deque(one for one in waiting if one[0] is not shard)
            if kept:
                self._waiting[request] = kept
            else:
                del self._waiting[request]
        for key in list(shard.claims):
            self.end(key, shard)
