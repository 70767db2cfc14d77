"""The durable record of what was paid for: one line per outcome, as soon as it is known.

The file is JSON lines. A line with ``run`` begins a run: it has the models of the lines after it, what the
run drops of the lines before it, and the kinds of failure that its options retry (``mended``). A line with
``step`` is the reply of one step of a chain whose other steps were pending; every other line is an outcome,
which replaces an earlier one of its key, and its steps. A line with ``content`` says that the outcome of its
key is about that content too. Only the offsets of an earlier run's lines are kept
in memory, by the hash of the key.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import orjson

from cutline.engine.fingerprint import Fingerprint
from cutline.engine.journal_file import JournalFile
from cutline.engine.outcome_json import outcome_or_none, outcome_to_json, steps_from_json, usages_in
from cutline.engine.prices import Spending
from cutline.engine.repeats import (
    RequestId,
    RequestIndex,
    Shared,
    can_be_shared,
    is_shared,
    request_id,
)
from cutline.errors import JobChanged
from cutline.formatting import stored_key
from cutline.options import OnChange
from cutline.records import JSON, Caption, Outcome, Step
from cutline.serialization import checked, encode_json
from cutline.storage import is_http

Drop = Literal["none", "failed", "all"]
_DROPS: Mapping[str, Drop] = {"redo-failed": "failed", "redo-all": "all"}  # by ``on_change``


class Journal:
    """A ``JournalStore`` in a file: open it with ``load``, then ``begin``.

    ``spent`` is what all earlier runs cost together, for ``paid`` outcomes; ``damaged_lines`` could not be
    read. ``drops`` counts how often outcomes were dropped: an output from before the last time has some.
    ``trusted``: captions of old versions, which did not record their content, count as those of their keys.
    ``has_repeats``: whether ``alike`` finds what this run appends.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._file = JournalFile(path, read_only=read_only)
        self._offsets: dict[int, int] = {}
        self._failed: dict[int, str] = {}  # the kinds of failures
        self._skipped: dict[int, str] = {}  # the stages of skips
        self._dropped: dict[int, int] = {}
        self._incomplete: set[int] = set()  # captions that lack an optional step
        self._repeated: set[int] = set()  # those of them that this run completes
        self._renewed: dict[int, int] = {}  # lines with the content of outcomes, which was recorded later
        self._unidentified: set[int] = set()  # captions of old versions
        self._steps: dict[int, list[int]] = {}  # lines with steps of what has no outcome
        self._last_run: JSON | None = None  # whose settings the following are
        self._models: JSON = {}
        self._retried: frozenset[str] = frozenset()
        self._stages: tuple[str, ...] = ()
        self._begun: bytes | None = None
        self.damaged_lines = self.drops = self.paid = 0
        self.spent = Spending()
        self._requests = RequestIndex()
        self.trusted = self.has_repeats = False

    def __len__(self) -> int:
        """The number of outcomes of earlier runs that count."""
        return len(self._offsets) - len(self._repeated)

    def load(self) -> None:
        """Read what earlier runs left; raises SourceError where that is impossible."""
        for offset, line in self._file.load():
            self._read_line(offset, line)

    def _read_line(self, offset: int, line: bytes) -> None:
        try:
            data = orjson.loads(line)
            if "run" in data:
                self._read_run(data)
                return
            key = hash(stored_key(checked(data["key"], str)))
            if "content" in data:
                self._renewed[key] = offset
                return
            kind = checked(data["type"], str) if "type" in data or "step" not in data else ""
            usages = list(usages_in(data))
            paid = any(usage.total for _, usage, _ in usages)
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
            self.damaged_lines += 1
            return
        for step, usage, counted in usages:
            if not counted:
                self.spent.add(str(self._models.get(step, (self._last_run or {}).get("model"))), usage)
        if not kind:
            self._steps.setdefault(key, []).append(offset)
        else:
            self.paid += paid
            self._read_outcome(key, offset, data)

    def _read_run(self, data: JSON) -> None:
        run, models = checked(data["run"], dict), checked(data.get("models", {}), dict)
        kinds, stages = checked(data.get("kinds", []), list), checked(data.get("stages", []), list)
        retried = frozenset(checked(data.get("mended", []), list))
        self._last_run, self._models, self._retried = run, models, retried
        self._drop(data.get("drop", "none"), kinds or None)
        self._stages = tuple(stages)
        self._drop_skips()
        self.trusted = self.trusted or data.get("trusted") is True

    def _read_outcome(self, key: int, offset: int, data: JSON) -> None:
        self._offsets[key] = offset
        (self._incomplete.add if data.get("missing_steps") else self._incomplete.discard)(key)
        for earlier in (self._steps, self._failed, self._skipped, self._renewed):
            earlier.pop(key, None)
        self._unidentified.discard(key)
        if data["type"] == "caption" and not data.get("missing_steps"):
            self._requests.add_repeat(data["key"], str(data.get("stamp", "")), offset)
        if data["type"] == "failure":
            self._failed[key] = sys.intern(str(data.get("kind", "")))
        elif data["type"] == "skip":
            self._skipped[key] = sys.intern(str(data.get("stage", "")))
        elif not data.get("stamp") and not is_http(data["key"]):
            self._unidentified.add(key)

    def _drop(self, drop: Drop, kinds: Collection[str] | None = None) -> None:
        """Drop earlier outcomes; of failures only those of ``kinds``, where these are given."""
        if drop == "none":
            return
        self.drops += 1
        if drop == "all":
            without = self._failed.keys() | self._skipped.keys()
            self._dropped |= {key: offset for key, offset in self._offsets.items() if key not in without}
            for known in (self._offsets, self._skipped, self._incomplete, self._steps, self._failed):
                known.clear()
            self._unidentified.clear()
            self._requests.clear()
        else:
            self._keep_steps(self._failed, lambda kind: kinds is None or kind in kinds)

    def _drop_skips(self) -> None:
        """Drop the skips of stages that are not among the run's, or have another fingerprint."""
        self.drops += self._keep_steps(self._skipped, lambda stage: stage and stage not in self._stages)

    def _keep_steps(self, outcomes: dict[int, str], is_dropped: Callable[[str], object]) -> bool:
        """Drop outcomes, but not the replies in them; returns whether there were any."""
        dropped = [key for key, reason in outcomes.items() if is_dropped(reason)]
        for key in dropped:
            del outcomes[key]
            self._steps[key] = [self._offsets.pop(key)]
        return bool(dropped)

    def begin(
        self,
        fingerprint: Fingerprint,
        *,
        on_change: OnChange,
        retry_failed: bool,
        models: Mapping[str, str] | None = None,
        retried: frozenset[str] = frozenset(),
        stages: Sequence[str] = (),
    ) -> None:
        """Prepare a run, which may drop earlier outcomes; ``models`` are the captioners of a chain's steps.

        Nothing is written before ``start``: a run that is refused must not drop anything.

        Failures of the ``retried`` kinds are dropped unless the run before retried them too; so are skips by
        stages other than ``stages``, the names and fingerprints of this run's.

        Raises:
            JobChanged: the earlier run had other settings, or did not record what its captions were made
                from, and ``on_change`` is ``refuse``.
        """
        changes = fingerprint.differences(self._last_run) if self._last_run is not None else []
        if self._last_run is None and self._offsets:
            changes = ["all of them may be others: the journal has lost its record of them"]
        unknown = bool(self._unidentified) and not self.trusted
        if unknown and on_change == "refuse":
            raise JobChanged(_unidentified(len(self._unidentified)))
        drop = self._choose_drop(changes, on_change, retry_failed=retry_failed)
        if unknown:
            drop = _DROPS.get(on_change, drop)
            self.trusted = drop != "all"
        kinds = sorted((retried - self._retried) & set(self._failed.values())) if drop == "none" else []
        if kinds:
            drop = "failed"
        self._drop(drop, kinds or None)
        own, earlier = dict(models or {}), (self._models, self._retried, self._stages)
        self._stages = tuple(stages)
        self._drop_skips()
        if drop == "failed" and not kinds:
            # Kept until the new outcome is there: what they lack was optional.
            self._repeated = set(self._incomplete)
            self._dropped |= {key: self._offsets[key] for key in self._incomplete}
        differs = unknown or bool(changes) or earlier != (own, retried, self._stages)
        if differs or drop != "none" or self._last_run is None:
            run: JSON = {"run": fingerprint.to_json(), "drop": drop, "models": own}
            optional = {
                "kinds": kinds,
                "mended": sorted(retried),
                "stages": list(stages),
                "trusted": self.trusted,
            }
            run |= {name: value for name, value in optional.items() if value}
            self._begun = orjson.dumps(run)

    def start(self) -> None:
        """Open the journal to append, and record the run that ``begin`` prepared; raises SinkError."""
        self._file.open()
        if self._begun is not None:
            self._file.append(self._begun)
            self._begun = None

    def _choose_drop(self, changes: Sequence[str], on_change: OnChange, *, retry_failed: bool) -> Drop:
        drop: Drop = "failed" if retry_failed else "none"
        if changes and self._offsets:
            if on_change == "refuse" and len(self._failed) == len(self._offsets):
                return "failed"  # no caption is at stake, as after a slip in the first prompt
            if on_change == "refuse":
                cure = (
                    "choose what to do with its captions: --on-change keep, redo-failed or redo-all, or "
                    "another output"
                )
                if retry_failed:
                    cure = (
                        "to retry only the failed ones with the new settings, run again with --on-change "
                        "redo-failed; or choose --on-change keep or redo-all, or another output"
                    )
                if any(change.startswith("input: ") for change in changes):
                    cure = (
                        "write to another output, or choose --on-change keep, redo-failed or redo-all: "
                        "captions of pictures that are not in this input leave the output then"
                    )
                settings = "; ".join(changes)
                raise JobChanged(f"this output was begun with other settings ({settings}); {cure}")
            drop = _DROPS.get(on_change, drop)
        return "none" if drop == "failed" and not (self._failed or self._incomplete) else drop

    def append(self, outcome: Outcome) -> None:
        line = outcome_to_json(outcome) | {"key": stored_key(outcome.key)}
        offset = self._file.append(encode_json(line))
        if self.has_repeats and can_be_shared(outcome) and not is_shared(outcome):
            self._requests.add(outcome.key, outcome.content_id, offset)

    def append_content(self, key: str, content_id: str) -> None:
        self._file.append(encode_json({"key": stored_key(key), "content": content_id}))

    def append_step(self, key: str, content_id: str, step: Step) -> None:
        self._file.append(encode_json({"key": stored_key(key), "stamp": content_id, "step": step}))

    def get(self, key: str) -> Outcome | None:
        mark = hash(stored_key(key))
        if mark in self._repeated:
            return None
        outcome = self._read(self._offsets.get(mark), key)
        renewed = self._renewed.get(mark)
        if outcome is None or renewed is None:
            return outcome
        line = self._file.line(renewed)
        same = _is_of(line, key) and isinstance(line["content"], str)
        return dataclasses.replace(outcome, content_id=line["content"]) if same else outcome

    def steps(self, key: str) -> Sequence[tuple[str, tuple[Step, ...]]]:
        mark = hash(stored_key(key))
        offsets = self._steps.get(mark, [])
        if mark in self._repeated:
            offsets = [self._offsets[mark], *offsets]
        found = []
        for offset in offsets:
            data = self._file.line(offset)
            if _is_of(data, key):
                with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
                    steps = tuple(steps_from_json(data))
                    found.append((str(data.get("stamp", "")), steps))
        return found

    @property
    def settings(self) -> Mapping[str, Any]:
        """The fingerprint of the last run; empty before the first."""
        return self._last_run or {}

    def outcomes(self) -> Iterator[Outcome]:
        """The outcomes of earlier runs that count, in the order in which they were made."""
        offsets = sorted(offset for key, offset in self._offsets.items() if key not in self._repeated)
        for line in self._file.lines(offsets):
            outcome = outcome_or_none(line)
            if outcome is not None:
                yield outcome

    def captions(self) -> Iterator[Caption]:
        """The captions among them."""
        return (outcome for outcome in self.outcomes() if isinstance(outcome, Caption))

    def earlier(self, key: str) -> Outcome | None:
        return self._read(self._dropped.get(hash(stored_key(key))), key)

    def alike(self, wanted: RequestId) -> Shared | None:
        name, variables = stored_key(wanted[0]), wanted[1]
        offsets = (self._requests.get(wanted), self._offsets.get(hash(name)))
        for offset in offsets:
            outcome = None if offset is None else outcome_or_none(self._file.line(offset))
            if outcome is None or not can_be_shared(outcome):
                continue
            if request_id(stored_key(outcome.key), outcome.content_id) == (name, variables):
                return cast("Shared", outcome)
        return None

    def _read(self, offset: int | None, key: str) -> Outcome | None:
        if offset is None:
            return None
        data = self._file.line(offset)
        # Two keys may have one hash: do it again rather than mix them up.
        return outcome_or_none(data | {"key": key}) if _is_of(data, key) else None

    def sync(self) -> None:
        self._file.sync()

    def close(self) -> None:
        self._file.close()


def _is_of(line: JSON, key: str) -> bool:
    """Whether a line is about the sample; older versions wrote its whole key."""
    return stored_key(line["key"]) == stored_key(key)


def _unidentified(count: int) -> str:
    return (
        f"{count:,} captions of this output were made by an older version, which did not record of which "
        "pictures: if the input is unchanged since, go on with --on-change keep (rows without a name of "
        "their own are captioned again); else --on-change redo-all, or another output"
    )
