"""How many requests, and how many bytes of pictures, are held at one time."""

from __future__ import annotations

from cutline.service.errors import Overloaded


class Admission:
    """Counts requests that wait for their response, and bytes that they sent or had us download."""

    def __init__(self, *, max_waiting: int, max_bytes: int) -> None:
        self._max_waiting, self._max_bytes = max_waiting, max_bytes
        self.waiting = self.held = 0

    @property
    def is_full(self) -> bool:
        return self.waiting >= self._max_waiting or self.held >= self._max_bytes

    def can_ever_hold(self, size: int) -> bool:
        return size <= self._max_bytes

    def enter(self) -> None:
        """Count one more request; raises Overloaded when there are too many."""
        if self.waiting >= self._max_waiting:
            raise Overloaded
        self.waiting += 1

    def leave(self) -> None:
        self.waiting -= 1

    def hold(self, size: int) -> None:
        """Count these bytes; raises Overloaded when they are too many, and counts none of them then."""
        if self.held + size > self._max_bytes:
            raise Overloaded
        self.held += size

    def release(self, size: int) -> None:
        self.held -= size
