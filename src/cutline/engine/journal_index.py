"""What a journal holds, by the hashes of keys: the places of outcomes, and what of them still counts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from typing import Literal

import orjson

from cutline.engine.outcome_json import usages_in
from cutline.engine.prices import Spending
from cutline.engine.repeats import RequestIndex
from cutline.formatting import stored_key
from cutline.records import JSON
from cutline.serialization import checked
from cutline.storage import is_http

Drop = Literal["none", "failed", "all"]
_OF_TEXTS = ("model", "endpoint", "prompts", "parameters", "pictures", "steps")  # what decides captions


class JournalIndex:
    """The offsets of a journal's lines, as ``add`` reads them one after the other.

    ``is_mixed``: some outcomes were made with other settings than the last run's, and kept then.
    ``paid``, ``spent``, ``damaged_lines``, ``drops`` and ``trusted`` as in ``Journal``.
    """

    def __init__(self) -> None:
        self.offsets: dict[int, int] = {}
        self.failed: dict[int, str] = {}  # the kinds of failures
        self.skipped: dict[int, str] = {}  # the stages of skips
        self.dropped: dict[int, int] = {}
        self.incomplete: set[int] = set()  # captions that lack an optional step
        self.renewed: dict[int, int] = {}  # lines with the content of outcomes, which was recorded later
        self.unidentified: set[int] = set()  # captions of old versions
        self.steps: dict[int, list[int]] = {}  # lines with steps of what has no outcome
        self.requests = RequestIndex()
        self.last_run: JSON | None = None  # whose settings the following are
        self.models: JSON = {}
        self.retried: frozenset[str] = frozenset()
        self.stages: tuple[str, ...] = ()
        self.damaged_lines = self.drops = self.paid = 0
        self.spent = Spending()
        self.trusted = self.is_mixed = False

    def add(self, offset: int, line: bytes) -> None:
        try:
            data = orjson.loads(line)
            if "run" in data:
                self._read_run(data)
                return
            key = hash(stored_key(checked(data["key"], str)))
            if "content" in data:
                self.renewed[key] = offset
                return
            kind = checked(data["type"], str) if "type" in data or "step" not in data else ""
            usages = list(usages_in(data))
            paid = any(usage.total for _, usage, _ in usages)
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
            self.damaged_lines += 1
            return
        for step, usage, counted in usages:
            if not counted:
                self.spent.add(str(self.models.get(step, (self.last_run or {}).get("model"))), usage)
        if not kind:
            self.steps.setdefault(key, []).append(offset)
        else:
            self.paid += paid
            self._read_outcome(key, offset, data)

    def _read_run(self, data: JSON) -> None:
        run, models = checked(data["run"], dict), checked(data.get("models", {}), dict)
        kinds, stages = checked(data.get("kinds", []), list), checked(data.get("stages", []), list)
        retried = frozenset(checked(data.get("mended", []), list))
        self.drop(data.get("drop", "none"), kinds or None)
        before = self.last_run
        if before is not None and any(before.get(name) != run.get(name) for name in _OF_TEXTS):
            self.is_mixed = True
        self.is_mixed = self.is_mixed and bool(self.offsets)
        self.last_run, self.models, self.retried = run, models, retried
        self.stages = tuple(stages)
        self.drop_skips()
        self.trusted = self.trusted or data.get("trusted") is True

    def _read_outcome(self, key: int, offset: int, data: JSON) -> None:
        self.offsets[key] = offset
        (self.incomplete.add if data.get("missing_steps") else self.incomplete.discard)(key)
        for earlier in (self.steps, self.failed, self.skipped, self.renewed):
            earlier.pop(key, None)
        self.unidentified.discard(key)
        if data["type"] == "caption" and not data.get("missing_steps"):
            self.requests.add_repeat(data["key"], str(data.get("stamp", "")), offset)
        if data["type"] == "failure":
            self.failed[key] = sys.intern(str(data.get("kind", "")))
        elif data["type"] == "skip":
            self.skipped[key] = sys.intern(str(data.get("stage", "")))
        elif not data.get("stamp") and not is_http(data["key"]):
            self.unidentified.add(key)

    def drop(self, drop: Drop, kinds: Collection[str] | None = None) -> None:
        """Drop earlier outcomes; of failures only those of ``kinds``, where these are given.

        The replies are kept: those of steps whose requests are still the same can be used.
        """
        if drop == "none":
            return
        self.drops += 1
        if drop == "all":
            without = self.failed.keys() | self.skipped.keys()
            self.dropped |= {key: offset for key, offset in self.offsets.items() if key not in without}
            for key, offset in self.offsets.items():
                self.steps[key] = [offset]
            for known in (self.offsets, self.skipped, self.incomplete, self.failed):
                known.clear()
            self.unidentified.clear()
            self.requests.clear()
        else:
            self._keep_steps(self.failed, lambda kind: kinds is None or kind in kinds)

    def drop_skips(self) -> None:
        """Drop the skips of stages that are not among the run's, or have another fingerprint."""
        self.drops += self._keep_steps(self.skipped, lambda stage: stage and stage not in self.stages)

    def _keep_steps(self, outcomes: dict[int, str], is_dropped: Callable[[str], object]) -> bool:
        """Drop outcomes, but not the replies in them; returns whether there were any."""
        dropped = [key for key, reason in outcomes.items() if is_dropped(reason)]
        for key in dropped:
            del outcomes[key]
            self.steps[key] = [self.offsets.pop(key)]
        return bool(dropped)
