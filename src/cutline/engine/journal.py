"""The durable record of what was paid for: one line per outcome, as soon as it is known.

The file is JSON lines. A line with ``run`` begins a run, names the models that the lines after it have
their answers from, and says what it dropped of what stands before it, and which kinds of failure its
options had mended; a line with ``step`` is the answer of one step of a chain whose others were still to
come; every other line is an outcome. A later outcome of a key replaces the earlier one and its steps. Only
the place of each line is kept in memory, and only for what an earlier run left.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

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


class Journal:
    """Open with ``load``, then ``begin``; from then on ``append`` writes and ``get`` reads.

    ``spent`` is what all earlier runs cost together, ``paid`` how many outcomes that was for,
    ``damaged_lines`` how many lines told nothing, ``drops`` how often outcomes were given up: an
    output made before the last time holds some of them.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: dict[int, int] = {}  # hash of the key -> offset of its line
        self._failed: dict[int, str] = {}  # hash of the key -> kind of its failure
        self._skipped: dict[int, str] = {}  # hash of the key -> stage that skipped it
        self._dropped: dict[int, int] = {}
        self._incomplete: set[int] = set()  # captions that lack an optional step
        self._asked_again: set[int] = set()
        self._steps: dict[int, list[int]] = {}  # hash of the key -> lines with steps of what has no outcome
        self._last_run: JSON | None = None
        self._models: JSON = {}  # of the last run's steps
        self._mended: set[str] = set()  # by the last run's options
        self._stages: tuple[str, ...] = ()  # of the last run
        self._file = -1
        self._size = 0
        self.damaged_lines = self.drops = self.paid = 0
        self.spent = Spending()

    def __len__(self) -> int:
        """How many outcomes an earlier run left that still count."""
        return len(self._places) - len(self._asked_again)

    def load(self) -> None:
        """Read what earlier runs left; a half line at the end, left by a death, is cut off.

        Raises:
            SourceError: the file cannot be read or is not a journal.
        """
        if not self._path.exists():
            return
        end = 0
        try:
            with self._path.open("rb") as file:
                for offset, line in _lines(file):
                    if not line.endswith(b"\n"):
                        break
                    end = offset + len(line)
                    self._note(offset, line)
            if end < self._path.stat().st_size:
                os.truncate(self._path, end)
        except OSError as error:
            raise SourceError(f"cannot read the journal {self._path}: {error.strerror}") from None

    def _note(self, offset: int, line: bytes) -> None:
        try:
            data = orjson.loads(line)
            if "run" in data:
                self._last_run = data["run"]
                self._models = dict(data.get("models", {}))
                self._mended = set(data.get("mended", ()))
                self._drop(data.get("drop", "none"), data.get("kinds"))
                self._stages = tuple(data.get("stages", ()))
                self._drop_skips()
                return
            place = hash(data["key"])
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
            self._steps.setdefault(place, []).append(offset)
        else:
            self.paid += paid
            self._note_outcome(place, offset, data)

    def _note_outcome(self, place: int, offset: int, data: JSON) -> None:
        self._places[place] = offset
        self._steps.pop(place, None)
        (self._incomplete.add if data.get("missing_steps") else self._incomplete.discard)(place)
        self._failed.pop(place, None)
        self._skipped.pop(place, None)
        if data["type"] == "failure":
            self._failed[place] = sys.intern(str(data.get("kind", "")))
        elif data["type"] == "skip":
            self._skipped[place] = sys.intern(str(data.get("stage", "")))

    def _drop(self, drop: Drop, kinds: Collection[str] | None = None) -> None:
        """Give up earlier outcomes; of failures those of ``kinds`` alone, where they are named."""
        if drop == "none":
            return
        self.drops += 1
        if drop == "all":
            without = self._failed.keys() | self._skipped.keys()
            self._dropped |= {place: at for place, at in self._places.items() if place not in without}
            self._places.clear()
            self._skipped.clear()
            self._incomplete.clear()
            self._steps.clear()
            self._failed.clear()
        else:
            for place in [place for place, kind in self._failed.items() if kinds is None or kind in kinds]:
                self._steps[place] = [self._places.pop(place)]
                del self._failed[place]

    def _drop_skips(self) -> None:
        """Give up what was decided by stages that are not, or not in the same way, among the run's."""
        stale = [place for place, stage in self._skipped.items() if stage and stage not in self._stages]
        for place in stale:
            del self._skipped[place]
            self._steps[place] = [self._places.pop(place)]
        self.drops += bool(stale)

    def begin(
        self,
        fingerprint: Fingerprint,
        *,
        on_change: OnChange,
        retry_failed: bool,
        models: Mapping[str, str] | None = None,
        mended: frozenset[str] = frozenset(),
        stages: Sequence[str] = (),
    ) -> None:
        """Start a run, which may give up earlier outcomes; ``models`` are the captioners of a chain's steps.

        Failures of the kinds that are ``mended`` now, and were not in the run before, are given up anyway;
        so are skips by stages other than ``stages``, the names and fingerprints of this run's.

        Raises:
            JobChanged: the earlier run asked something else and ``on_change`` is ``refuse``.
            SinkError: the journal cannot be written.
        """
        drop: Drop = "failed" if retry_failed else "none"
        changes = fingerprint.differences(self._last_run) if self._last_run is not None else []
        if changes and self._places:
            if on_change == "refuse":
                raise JobChanged(
                    f"this output was begun with other settings ({'; '.join(changes)}); say what to do with "
                    "its captions: --on-change keep, redo-failed or redo-all, or name another output"
                )
            if on_change == "redo-all":
                drop = "all"
            elif on_change == "redo-failed":
                drop = "failed"
        if drop == "failed" and not (self._failed or self._incomplete):
            drop = "none"
        kinds = sorted((mended - self._mended) & set(self._failed.values())) if drop == "none" else []
        if kinds:
            drop = "failed"
        self._drop(drop, kinds or None)
        others = tuple(stages) != self._stages
        self._stages = tuple(stages)
        self._drop_skips()
        if drop == "failed" and not kinds:
            # Kept until the new outcome is there: what they lack was optional.
            self._asked_again = set(self._incomplete)
            self._dropped |= {place: self._places[place] for place in self._incomplete}
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
            self._file = os.open(self._path, flags, 0o644)
            self._size = os.fstat(self._file).st_size
        except OSError as error:
            raise SinkError(f"cannot write the journal {self._path}: {error.strerror}") from None
        asked = dict(models or {})
        others = others or bool(changes) or asked != self._models or mended != self._mended
        if others or drop != "none" or self._last_run is None:
            run: JSON = {"run": fingerprint.to_json(), "drop": drop, "models": asked}
            run |= {"kinds": kinds} if kinds else {}
            run |= {"mended": sorted(mended)} if mended else {}
            run |= {"stages": list(stages)} if stages else {}
            self._write(orjson.dumps(run))

    def append(self, outcome: Outcome) -> None:
        """Write one outcome; it survives the death of the process from now on.

        Raises:
            SinkError: the disk is full or gone.
        """
        self._write(encode_json(outcome_to_json(outcome)))

    def append_step(self, key: str, content_id: str, step: Step) -> None:
        """Write one answer of a picture that needs more; raises as ``append``."""
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
            f"cannot write the journal {self._path}: {reason}; free the disk, then run the same command"
        )

    def get(self, key: str) -> Outcome | None:
        """What an earlier run left for ``key``, if that still counts and is not asked again."""
        if hash(key) in self._asked_again:
            return None
        return self._read(self._places.get(hash(key)), key)

    def steps(self, sample: Sample) -> tuple[Step, ...]:
        """Answers about the sample's picture that are no whole outcome, the last of each step."""
        key = sample.key
        places = self._steps.get(hash(key), [])
        if hash(key) in self._asked_again:
            places = [self._places[hash(key)], *places]
        if not places:
            return ()
        found: dict[str, Step] = {}
        content_id = sample.content_id
        for offset in places:
            data = self._line(offset)
            if data["key"] == key and data.get("stamp", "") == content_id:
                with contextlib.suppress(KeyError, TypeError, ValueError):
                    steps = map(step_from_json, data.get("steps") or [data["step"]])
                    found |= {step.name: step for step in steps}
        return tuple(found.values())

    def earlier(self, key: str) -> Outcome | None:
        """The last caption of ``key`` from before a run that captions all anew."""
        return self._read(self._dropped.get(hash(key)), key)

    def _read(self, offset: int | None, key: str) -> Outcome | None:
        if offset is None:
            return None
        data = self._line(offset)
        if data["key"] != key:  # two keys with one hash: ask again rather than mix them up
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
        """Make all lines survive the loss of power too."""
        os.fsync(self._file)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _lines(file: Any) -> Iterator[tuple[int, bytes]]:
    offset = 0
    for line in file:
        yield offset, line
        offset += len(line)


def _usages(data: JSON) -> Iterator[tuple[str, Usage, bool]]:
    """Each step's name, its tokens, and whether an earlier line has them too."""
    steps = [data["step"]] if isinstance(data.get("step"), dict) else data.get("steps", ())
    for step in steps:
        yield step["name"], Usage(**step["reply"]["usage"]), step.get("counted", False)
    for name, usage in data.get("useless", {}).items():
        yield name, Usage(**usage), False
