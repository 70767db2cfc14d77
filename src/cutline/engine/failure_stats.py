"""The most common causes of each kind of failure, in bounded memory.

Messages that differ in numbers only have one cause, and are shown with the range of each number.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from cutline.formatting import stored_key
from cutline.records import JSON, Failure

KEPT = 64  # messages of a kind
LONGEST = 300  # characters of one
_NUMBER = re.compile(  # that measures something: not a status, nor a part of a name, an address or a date
    r"(?<![\w.:/\-#'\"])(?<!HTTP )(?<!answered )(?<!returned )(?<!status )(?<!error )(?<!code )"
    r"\d[\d,]*(?:\.\d+)?(?![\w/\-'\"]|[.:,]\w)"
)
_GAP = "\0"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A message that ``count`` failures of a kind share, without the picture's name, and but for its numbers.

    ``key`` has the first of them by name.
    ``exact`` is False where more different messages occurred than are kept: the count may be too low.
    """

    message: str
    count: int
    key: str
    exact: bool = True


class FailureStats:
    """Counts the most common messages of each kind of failure (Metwally's Space-Saving)."""

    def __init__(self) -> None:
        self._kinds: dict[str, dict[str, _Kept]] = {}

    def add(self, failure: Failure, path: str = "") -> None:
        """Count a failure of the picture at ``path``."""
        kept = self._kinds.setdefault(failure.kind, {})
        message, key = message_of(failure, path), stored_key(failure.key)
        form, numbers = _NUMBER.sub(_GAP, message), _NUMBER.findall(message)
        if form in kept:
            kept[form].add(numbers, key)
            return
        missed = kept.pop(min(kept, key=lambda one: kept[one].count)).count if len(kept) >= KEPT else 0
        kept[form] = _Kept(form, missed + 1, missed, key, [[one, one] for one in numbers])

    def of_kind(self, kind: str) -> tuple[Cause, ...]:
        """The causes of a kind, the most common first."""
        kept = self._kinds.get(kind, {}).values()
        return tuple(sorted((one.cause() for one in kept), key=lambda cause: (-cause.count, cause.key)))

    def by_kind(self) -> dict[str, tuple[Cause, ...]]:
        """The causes of each kind, the most common first."""
        return {kind: self.of_kind(kind) for kind in self._kinds}

    def to_json(self) -> JSON:
        return {
            kind: [dataclasses.astuple(one) for one in kept.values()] for kind, kept in self._kinds.items()
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FailureStats:
        causes = cls()
        for kind, rows in data.items():
            causes._kinds[kind] = {row[0]: _Kept(*row) for row in rows}
        return causes


@dataclasses.dataclass(slots=True)
class _Kept:
    """``missed`` of the ``count`` may belong to causes that this one replaced.

    ``form`` is the message without its numbers, ``numbers`` the smallest and the largest of each.
    """

    form: str
    count: int
    missed: int
    key: str
    numbers: list[list[str]] = dataclasses.field(default_factory=list)

    def add(self, numbers: list[str], key: str) -> None:
        self.count += 1
        self.key = min(self.key, key)  # whatever ends first
        for ends, number in zip(self.numbers, numbers, strict=False):
            ends[:] = min(ends[0], number, key=_value), max(ends[1], number, key=_value)

    def cause(self) -> Cause:
        first, *rest = self.form.split(_GAP)
        ranges = (low if low == high else f"{low} to {high}" for low, high in self.numbers)
        message = first + "".join(number + text for number, text in zip(ranges, rest, strict=False))
        return Cause(message=message, count=self.count - self.missed, key=self.key, exact=not self.missed)


def _value(number: str) -> float:
    return float(number.replace(",", ""))


def message_of(failure: Failure, path: str = "") -> str:
    """The failure's message in one line, without the name of its picture."""
    return without_name(failure.message, path, failure.key)


def without_name(message: str, *names: str) -> str:
    """A message in one line, without the name that begins it, of which ``names`` are the possible ends."""
    text = message if len(message) <= 2 * LONGEST else message[: 2 * LONGEST]
    if text.startswith(("http://", "https://")):
        text = text.partition(": ")[2] or text  # the address may be another, after redirects
    else:
        for name in filter(None, names):
            head, found, rest = text.partition(f"{name}: ")
            if found and rest and (not head or head[-1] in "/\\"):
                text = rest
                break
    text = " ".join(text.replace(_GAP, " ").split())
    return text if len(text) <= LONGEST else text[: LONGEST - 2] + " …"
