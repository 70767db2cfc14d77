"""Why pictures failed: the commonest messages of each kind, in bounded memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from cutline.records import JSON, Failure, Sample

KEPT = 64  # messages of a kind
LONGEST = 300  # characters of one


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A message that ``count`` failures of a kind have in common, the first of them ``key``'s.

    It leaves out the picture's own name. Where more different messages came than are kept, ``exact`` is
    False: there may be more such failures.
    """

    message: str
    count: int
    key: str
    exact: bool = True


class FailureStats:
    """Counts messages by the kind of failure; of each the commonest are known (Metwally's Space-Saving)."""

    def __init__(self) -> None:
        self._kinds: dict[str, dict[str, _Kept]] = {}

    def add(self, sample: Sample, failure: Failure) -> None:
        kept = self._kinds.setdefault(failure.kind, {})
        message = message_of(sample, failure)
        if message in kept:
            kept[message].count += 1
            return
        missed = 0
        if len(kept) >= KEPT:
            missed = kept.pop(min(kept, key=lambda one: kept[one].count)).count
        kept[message] = _Kept(count=missed + 1, missed=missed, key=failure.key)

    def by_kind(self) -> dict[str, tuple[Cause, ...]]:
        """For each kind its causes, the commonest first."""
        return {kind: tuple(_sorted(kept.items())) for kind, kept in self._kinds.items()}

    def to_json(self) -> JSON:
        return {
            kind: [[message, one.count, one.missed, one.key] for message, one in kept.items()]
            for kind, kept in self._kinds.items()
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FailureStats:
        causes = cls()
        for kind, kept in data.items():
            causes._kinds[kind] = {
                message: _Kept(count=count, missed=missed, key=key) for message, count, missed, key in kept
            }
        return causes


@dataclasses.dataclass(slots=True, kw_only=True)
class _Kept:
    """``missed`` of the ``count`` may have been other messages, whose place this one took."""

    count: int
    missed: int
    key: str


def _sorted(kept: Iterable[tuple[str, _Kept]]) -> Iterable[Cause]:
    causes = (
        Cause(message=message, count=one.count - one.missed, key=one.key, exact=not one.missed)
        for message, one in kept
    )
    return sorted(causes, key=lambda cause: -cause.count)


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
