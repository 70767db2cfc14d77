"""Objects that pages have open on the server, by number; the latest few are kept."""

from __future__ import annotations

from typing import Generic, TypeVar

from cutline.service.errors import ServiceError

T = TypeVar("T")


class Numbered(Generic[T]):
    """Values by number. ``gone`` is the message for an expired one."""

    def __init__(self, kept: int, gone: str) -> None:
        self._kept, self._gone = kept, gone
        self._values: dict[int, T] = {}
        self._last = 0

    def add(self, value: T) -> int:
        """Add a value, and return its number."""
        self._last += 1
        self._values[self._last] = value
        for number in list(self._values)[: -self._kept]:
            del self._values[number]
        return self._last

    def get(self, number: int) -> T:
        """The value; ServiceError 404: it has expired."""
        if number not in self._values:
            raise ServiceError(404, self._gone)
        return self._values[number]
