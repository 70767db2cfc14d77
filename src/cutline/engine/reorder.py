"""Puts outcomes back in source order, with bounded memory."""

from __future__ import annotations

import dataclasses
import pickle
import tempfile
from pathlib import Path
from typing import IO, TypeAlias

from cutline.files import write_errors
from cutline.records import Outcome, Sample

Entry: TypeAlias = tuple[Sample, Outcome, bytes | None]
"""A sample, its outcome, and the picture's encoded bytes where the sink needs them."""

MAX_SPREAD = 200_000  # how far the fastest picture may run ahead of the slowest
TAKEN_BYTES = 32_000_000


@dataclasses.dataclass(slots=True)
class PictureMemory:
    """Memory for waiting pictures: ``used`` bytes of at most about ``most``."""

    most: int = 64_000_000
    used: int = 0


class Reorder:
    """Holds outcomes until their turn, so that one slow picture neither stops the others nor fills memory.

    Beyond a few thousand entries, or without memory for their pictures, it uses an unnamed file. ``memory``
    may be that of several.
    """

    def __init__(
        self,
        folder: Path,
        *,
        first: int = 0,
        max_entries: int = 2048,
        memory: PictureMemory | None = None,
        max_spilled: int = 1_000_000_000,
    ) -> None:
        self.next = first
        self._folder = folder
        self._max_entries = max_entries
        self._memory = memory or PictureMemory()
        self._max_spilled = max_spilled
        self._held: dict[int, Entry] = {}
        self._spilled: dict[int, tuple[int, int]] = {}
        self._spilled_bytes = 0  # in the file, which shrinks only when nothing is left in it
        self._file: IO[bytes] | None = None

    def __len__(self) -> int:
        return len(self._held) + len(self._spilled)

    @property
    def full(self) -> bool:
        """Whether so much waits for the next in order that nothing more should be begun."""
        return len(self) > MAX_SPREAD or self._spilled_bytes > self._max_spilled

    def put(self, index: int, entry: Entry) -> None:
        """Hold an entry until its turn; raises SinkError for a full disk."""
        size = len(entry[2] or b"")
        full = len(self._held) >= self._max_entries or self._memory.used + size > self._memory.most
        if full and index != self.next:
            self._spill(index, entry)
        else:
            self._held[index] = entry
            self._memory.used += size

    def take(self, most: int = 256) -> list[Entry]:
        """The entries that are next in order, at most ``most`` and about 32 MB; raises as ``put``."""
        taken: list[Entry] = []
        size = 0
        while len(taken) < most and size < TAKEN_BYTES:
            entry = self._held.pop(self.next, None)
            if entry is not None:
                self._memory.used -= len(entry[2] or b"")
            elif self.next in self._spilled:
                entry = self._fetch(self.next)
            else:
                break
            taken.append(entry)
            size += len(entry[2] or b"")
            self.next += 1
        return taken

    def _spill(self, index: int, entry: Entry) -> None:
        data = pickle.dumps(entry)
        with write_errors(self._folder):
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115 - see close
            offset = self._file.seek(0, 2)
            view = memoryview(data)
            while view:  # the second write says why the first was short
                view = view[self._file.write(view) :]
        self._spilled[index] = (offset, len(data))
        self._spilled_bytes += len(data)

    def _fetch(self, index: int) -> Entry:
        offset, size = self._spilled.pop(index)
        assert self._file is not None
        with write_errors(self._folder):
            self._file.seek(offset)
            # Safe: this process wrote it, to a file without a name that nobody else can open.
            entry: Entry = pickle.loads(self._file.read(size))  # noqa: S301 - written by this process
            if not self._spilled:
                self._file.truncate(0)
                self._spilled_bytes = 0
        return entry

    def close(self) -> None:
        self._memory.used -= sum(len(entry[2] or b"") for entry in self._held.values())
        self._held.clear()
        if self._file is not None:
            self._file.close()
