"""The durable record of what was paid for: one line per outcome, as soon as it is known.

The file is JSON lines. A line with ``run`` begins a run: it has the models of the lines after it, what the
run drops of the lines before it, and the kinds of failure that its options retry (``mended``). A line with
``step`` is the reply of one step of a chain whose other steps were pending; every other line is an outcome,
which replaces an earlier one of its key, and its steps. Only the offsets of an earlier run's lines are kept
in memory, by the hash of the key.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import orjson

from cutline.engine.fingerprint import Fingerprint
from cutline.engine.prices import Spending
from cutline.errors import JobChanged, SinkError, SourceError
from cutline.job import OnChange
from cutline.records import (
    JSON,
    Outcome,
    Sample,
    Step,
    Usage,
    outcome_from_json,
    outcome_to_json,
    step_from_json,
)
from cutline.serialization import encode_json

Drop = Literal["none", "failed", "all"]
_DROPS: Mapping[str, Drop] = {"redo-failed": "failed", "redo-all": "all"}  # by ``on_change``


class Journal:
    """A ``JournalStore`` in a file: open it with ``load``, then ``begin``.

    ``spent`` is what all earlier runs cost together, for ``paid`` outcomes; ``damaged_lines`` could not be
    read. ``drops`` counts how often outcomes were dropped: an output from before the last time has some.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offsets: dict[int, int] = {}
        self._failed: dict[int, str] = {}  # the kinds of failures
        self._skipped: dict[int, str] = {}  # the stages of skips
        self._dropped: dict[int, int] = {}
        self._incomplete: set[int] = set()  # captions that lack an optional step
        self._repeated: set[int] = set()  # those of them that this run completes
        self._steps: dict[int, list[int]] = {}  # lines with steps of what has no outcome
        self._last_run: JSON | None = None  # whose settings the following are
        self._models: JSON = {}
        self._retried: frozenset[str] = frozenset()
        self._stages: tuple[str, ...] = ()
        self._file = -1
        self._size = 0
        self.damaged_lines = self.drops = self.paid = 0
        self.spent = Spending()

    def __len__(self) -> int:
        """The number of outcomes of earlier runs that count."""
        return len(self._offsets) - len(self._repeated)

    def load(self) -> None:
        """Read what earlier runs left; a half line at the end, after a death, is cut off.

        Raises:
            SourceError: the file cannot be read or is not a journal.
        """
        if not self._path.exists():
            return
        end = 0
        try:
            with self._path.open("rb") as file:
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    self._read_line(end, line)
                    end += len(line)
            if end < self._path.stat().st_size:
                os.truncate(self._path, end)
        except OSError as error:
            raise SourceError(f"cannot read the journal {self._path}: {error.strerror}") from None

    def _read_line(self, offset: int, line: bytes) -> None:
        try:
            data = orjson.loads(line)
            if "run" in data:
                self._last_run = data["run"]
                self._models = dict(data.get("models", {}))
                self._retried = frozenset(data.get("mended", ()))
                self._drop(data.get("drop", "none"), data.get("kinds"))
                self._stages = tuple(data.get("stages", ()))
                self._drop_skips()
                return
            key = hash(data["key"])
            kind = data["type"] if "type" in data or "step" not in data else ""
            usages = list(_usages(data))
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

    def _read_outcome(self, key: int, offset: int, data: JSON) -> None:
        self._offsets[key] = offset
        (self._incomplete.add if data.get("missing_steps") else self._incomplete.discard)(key)
        for earlier in (self._steps, self._failed, self._skipped):
            earlier.pop(key, None)
        if data["type"] == "failure":
            self._failed[key] = sys.intern(str(data.get("kind", "")))
        elif data["type"] == "skip":
            self._skipped[key] = sys.intern(str(data.get("stage", "")))

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
        """Start a run, which may drop earlier outcomes; ``models`` are the captioners of a chain's steps.

        Failures of the ``retried`` kinds are dropped unless the run before retried them too; so are skips by
        stages other than ``stages``, the names and fingerprints of this run's.

        Raises:
            JobChanged: the earlier run had other settings and ``on_change`` is ``refuse``.
            SinkError: the journal cannot be written.
        """
        changes = fingerprint.differences(self._last_run) if self._last_run is not None else []
        drop = self._choose_drop(changes, on_change, retry_failed=retry_failed)
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
        self._open()
        differs = bool(changes) or earlier != (own, retried, self._stages)
        if differs or drop != "none" or self._last_run is None:
            run: JSON = {"run": fingerprint.to_json(), "drop": drop, "models": own}
            optional = {"kinds": kinds, "mended": sorted(retried), "stages": list(stages)}
            self._write(orjson.dumps(run | {name: value for name, value in optional.items() if value}))

    def _choose_drop(self, changes: Sequence[str], on_change: OnChange, *, retry_failed: bool) -> Drop:
        drop: Drop = "failed" if retry_failed else "none"
        if changes and self._offsets:
            if on_change == "refuse":
                raise JobChanged(
                    f"this output was begun with other settings ({'; '.join(changes)}); choose what to do "
                    "with its captions: --on-change keep, redo-failed or redo-all, or another output"
                )
            drop = _DROPS.get(on_change, drop)
        return "none" if drop == "failed" and not (self._failed or self._incomplete) else drop

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        try:
            self._file = os.open(self._path, flags, 0o644)
            self._size = os.fstat(self._file).st_size
        except OSError as error:
            raise SinkError(f"cannot write the journal {self._path}: {error.strerror}") from None

    def append(self, outcome: Outcome) -> None:
        self._write(encode_json(outcome_to_json(outcome)))

    def append_step(self, key: str, content_id: str, step: Step) -> None:
        self._write(encode_json({"key": key, "stamp": content_id, "step": step}))

    def _write(self, line: bytes) -> None:
        data, offset = line + b"\n", self._size
        try:
            written = os.write(self._file, data)
            if written < len(data):  # the disk is full: take the half line back
                os.truncate(self._path, offset)
        except OSError as error:
            reason = error.strerror
        else:
            if written == len(data):
                self._size += written
                return
            reason = os.strerror(errno.ENOSPC)
        raise SinkError(
            f"cannot write the journal {self._path}: {reason}; free the disk and run the same command again"
        )

    def get(self, key: str) -> Outcome | None:
        if hash(key) in self._repeated:
            return None
        return self._read(self._offsets.get(hash(key)), key)

    def steps(self, sample: Sample) -> tuple[Step, ...]:
        key = sample.key
        offsets = self._steps.get(hash(key), [])
        if hash(key) in self._repeated:
            offsets = [self._offsets[hash(key)], *offsets]
        found: dict[str, Step] = {}
        content_id = sample.content_id if offsets else ""
        for offset in offsets:
            data = self._line(offset)
            if data["key"] == key and data.get("stamp", "") == content_id:
                with contextlib.suppress(KeyError, TypeError, ValueError):
                    steps = map(step_from_json, data.get("steps") or [data["step"]])
                    found |= {step.name: step for step in steps}
        return tuple(found.values())

    def earlier(self, key: str) -> Outcome | None:
        return self._read(self._dropped.get(hash(key)), key)

    def _read(self, offset: int | None, key: str) -> Outcome | None:
        if offset is None:
            return None
        data = self._line(offset)
        if data["key"] != key:  # two keys with one hash: do it again rather than mix them up
            return None
        with contextlib.suppress(KeyError, TypeError, ValueError):
            return outcome_from_json(data)
        return None

    def _line(self, offset: int) -> JSON:
        with self._path.open("rb") as file:
            file.seek(offset)
            data: JSON = orjson.loads(file.readline())
        return data

    def sync(self) -> None:
        os.fsync(self._file)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _usages(data: JSON) -> Iterator[tuple[str, Usage, bool]]:
    """Each step's name, its tokens, and whether an earlier line has them too."""
    steps = [data["step"]] if isinstance(data.get("step"), dict) else data.get("steps", ())
    for step in steps:
        yield step["name"], Usage(**step["reply"]["usage"]), step.get("counted", False)
    for name, usage in data.get("useless", {}).items():
        yield name, Usage(**usage), False
