"""The most common failure messages of each kind, in bounded memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from cutline.formatting import stored_key
from cutline.records import JSON, Failure, Sample

KEPT = 64  # messages of a kind
LONGEST = 300  # characters of one


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A message that ``count`` failures of a kind share, without the picture's name.

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

    def add(self, sample: Sample, failure: Failure) -> None:
        kept = self._kinds.setdefault(failure.kind, {})
        message, key = message_of(sample, failure), stored_key(failure.key)
        if message in kept:
            kept[message].count += 1
            kept[message].key = min(kept[message].key, key)  # whatever ends first
            return
        missed = kept.pop(min(kept, key=lambda one: kept[one].count)).count if len(kept) >= KEPT else 0
        kept[message] = _Kept(message, missed + 1, missed, key)

    def by_kind(self) -> dict[str, tuple[Cause, ...]]:
        """The causes of each kind, the most common first."""
        return {
            kind: tuple(sorted((one.cause() for one in kept.values()), key=lambda cause: -cause.count))
            for kind, kept in self._kinds.items()
        }

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
    """``missed`` of the ``count`` may belong to messages that this one replaced."""

    message: str
    count: int
    missed: int
    key: str

    def cause(self) -> Cause:
        count = self.count - self.missed
        return Cause(message=self.message, count=count, key=self.key, exact=not self.missed)


def message_of(sample: Sample, failure: Failure) -> str:
    """The failure's message in one line, without the name of its picture."""
    text = failure.message if len(failure.message) <= 2 * LONGEST else failure.message[: 2 * LONGEST]
    if text.startswith(("http://", "https://")):
        text = text.partition(": ")[2] or text  # the address may be another, after redirects
    else:
        for name in (sample.path, failure.key):
            head, found, rest = text.partition(f"{name}: ")
            if found and rest and (not head or head[-1] in "/\\"):
                text = rest
                break
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 2] + " …"
