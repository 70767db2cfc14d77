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
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import orjson

from cutline.engine.fingerprint import Fingerprint
from cutline.engine.journal_file import JournalFile
from cutline.engine.journal_index import Drop, JournalIndex
from cutline.engine.outcome_json import outcome_or_none, outcome_to_json, steps_from_json
from cutline.engine.prices import Spending
from cutline.engine.repeats import (
    RequestId,
    Shared,
    can_be_shared,
    is_shared,
    request_id,
)
from cutline.errors import JobChanged
from cutline.formatting import stored_key
from cutline.options import OnChange
from cutline.records import JSON, Caption, Outcome, Step
from cutline.serialization import encode_json

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
        self._index = JournalIndex()
        self._repeated: set[int] = set()  # captions without an optional step, which this run completes
        self._begun: bytes | None = None
        self.has_repeats = False

    @property
    def damaged_lines(self) -> int:
        return self._index.damaged_lines

    @property
    def drops(self) -> int:
        return self._index.drops

    @property
    def paid(self) -> int:
        return self._index.paid

    @property
    def spent(self) -> Spending:
        return self._index.spent

    @property
    def trusted(self) -> bool:
        return self._index.trusted

    @trusted.setter
    def trusted(self, value: bool) -> None:
        self._index.trusted = value

    def __len__(self) -> int:
        """The number of outcomes of earlier runs that count."""
        return len(self._index.offsets) - len(self._repeated)

    @property
    def captioned(self) -> int:
        """The number of captions of earlier runs that count."""
        return len(self) - len(self._index.failed) - len(self._index.skipped)

    @property
    def has_history(self) -> bool:
        """Whether earlier runs left outcomes or replies."""
        return bool(self._index.offsets or self._index.steps or self._index.dropped)

    def load(self) -> None:
        """Read what earlier runs left; raises SourceError where that is impossible."""
        for offset, line in self._file.load():
            self._index.add(offset, line)

    def begin(
        self,
        fingerprint: Fingerprint,
        *,
        on_change: OnChange,
        retry_failed: bool,
        models: Mapping[str, str] | None = None,
        retried: frozenset[str] = frozenset(),
        stages: Sequence[str] = (),
        source: JSON | None = None,
    ) -> None:
        """Prepare a run, which may drop earlier outcomes; ``models`` are the captioners of a chain's steps.

        ``source``: how the input is read, for those who look up its pictures later.

        Nothing is written before ``start``: a run that is refused must not drop anything.

        Failures of the ``retried`` kinds are dropped unless the run before retried them too; so are skips by
        stages other than ``stages``, the names and fingerprints of this run's.

        Raises:
            JobChanged: the earlier run had other settings, or did not record what its captions were made
                from, and ``on_change`` is ``refuse``.
        """
        changes = fingerprint.differences(self._index.last_run) if self._index.last_run is not None else []
        if self._index.last_run is None and self._index.offsets:
            changes = ["all of them may be others: the journal has lost its record of them"]
        unknown = bool(self._index.unidentified) and not self.trusted
        if unknown and on_change == "refuse":
            raise JobChanged(_unidentified(len(self._index.unidentified)))
        drop = self._choose_drop(changes, on_change, retry_failed=retry_failed)
        if unknown:
            drop = _DROPS.get(on_change, drop)
            self.trusted = drop != "all"
        kinds = (
            sorted((retried - self._index.retried) & set(self._index.failed.values()))
            if drop == "none"
            else []
        )
        if kinds:
            drop = "failed"
        self._index.drop(drop, kinds or None)
        own, earlier = dict(models or {}), (self._index.models, self._index.retried, self._index.stages)
        self._index.stages = tuple(stages)
        self._index.drop_skips()
        if drop == "failed" and not kinds:
            # Kept until the new outcome is there: what they lack was optional.
            self._repeated = set(self._index.incomplete)
            self._index.dropped |= {key: self._index.offsets[key] for key in self._index.incomplete}
        source = source or {}
        reads_otherwise = source != (self._index.last_run or {}).get("source", {})
        differs = unknown or bool(changes) or reads_otherwise or earlier != (own, retried, self._index.stages)
        if differs or drop != "none" or self._index.last_run is None:
            settings = fingerprint.to_json() | ({"source": source} if source else {})
            run: JSON = {"run": settings, "drop": drop, "models": own}
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
        if changes and self._index.offsets:
            if on_change == "refuse" and len(self._index.failed) == len(self._index.offsets):
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
                if any(change.startswith(("input: ", "shard: ")) for change in changes):
                    cure = (
                        "write to another output, or choose --on-change keep, redo-failed or redo-all: "
                        "captions of pictures that are not in this input leave the output then"
                    )
                settings = "; ".join(changes)
                raise JobChanged(f"this output was begun with other settings ({settings}); {cure}")
            drop = _DROPS.get(on_change, drop)
        elif self._index.is_mixed and on_change == "redo-all":
            drop = "all"  # of captions that an earlier run kept
        return "none" if drop == "failed" and not (self._index.failed or self._index.incomplete) else drop

    def append(self, outcome: Outcome) -> None:
        line = outcome_to_json(outcome) | {"key": stored_key(outcome.key)}
        offset = self._file.append(encode_json(line))
        if self.has_repeats and can_be_shared(outcome) and not is_shared(outcome):
            self._index.requests.add(outcome.key, outcome.content_id, offset)

    def append_content(self, key: str, content_id: str) -> None:
        self._file.append(encode_json({"key": stored_key(key), "content": content_id}))

    def append_step(self, key: str, content_id: str, step: Step) -> None:
        self._file.append(encode_json({"key": stored_key(key), "stamp": content_id, "step": step}))

    def get(self, key: str) -> Outcome | None:
        mark = hash(stored_key(key))
        if mark in self._repeated:
            return None
        outcome = self._read(self._index.offsets.get(mark), key)
        renewed = self._index.renewed.get(mark)
        if outcome is None or renewed is None:
            return outcome
        line = self._file.line(renewed)
        same = _is_of(line, key) and isinstance(line["content"], str)
        return dataclasses.replace(outcome, content_id=line["content"]) if same else outcome

    def steps(self, key: str) -> Sequence[tuple[str, tuple[Step, ...]]]:
        mark = hash(stored_key(key))
        offsets = self._index.steps.get(mark, [])
        if mark in self._repeated:
            offsets = [self._index.offsets[mark], *offsets]
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
        return self._index.last_run or {}

    def outcomes(self) -> Iterator[Outcome]:
        """The outcomes of earlier runs that count, in the order in which they were made."""
        offsets = sorted(offset for key, offset in self._index.offsets.items() if key not in self._repeated)
        for line in self._file.lines(offsets):
            outcome = outcome_or_none(line)
            if outcome is not None:
                yield outcome

    def captions(self) -> Iterator[Caption]:
        """The captions among them."""
        return (outcome for outcome in self.outcomes() if isinstance(outcome, Caption))

    def earlier(self, key: str) -> Outcome | None:
        return self._read(self._index.dropped.get(hash(stored_key(key))), key)

    async def alike(self, key: str, wanted: RequestId) -> Shared | None:  # noqa: ARG002
        return self.outcome_of(wanted)

    def outcome_of(self, wanted: RequestId) -> Shared | None:
        """The outcome of a request, of this run or an earlier one."""
        name, variables = stored_key(wanted[0]), wanted[1]
        offsets = (self._index.requests.get(wanted), self._index.offsets.get(hash(name)))
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
        "pictures: if the input is unchanged since, continue with --on-change keep (rows without a name of "
        "their own are captioned again); else --on-change redo-all, or another output"
    )
