"""The captions of the rows that are open: read in order, block by block, then kept in memory."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from cutline.dataset.contents import CAPTION
from cutline.dataset.history import History
from cutline.dataset.inputs import DatasetInput
from cutline.dataset.records import CaptionVersion, Change, EditInfo
from cutline.dataset.scan import Entry
from cutline.dataset.text_column import BLOCK, TextColumn
from cutline.dataset.writer import Progress
from cutline.errors import SampleError
from cutline.files import name_to_text


@dataclasses.dataclass(slots=True)
class LeftAlone:
    """Files that an edit does not touch: those that hold another text, and those that cannot be edited."""

    conflicts: list[str] = dataclasses.field(default_factory=list)
    failed: list[tuple[str, str]] = dataclasses.field(default_factory=list)


class RowCaptions:
    """Captions by row. ``guard`` is held while they change, and where they must not."""

    def __init__(self, source: DatasetInput, entries: Sequence[Entry], guard: threading.RLock) -> None:
        self._source = source
        self.entries: Final = entries
        self._guard, self._reading = guard, threading.Lock()
        self._rows = {name_to_text(entry.sidecar): row for row, entry in enumerate(entries)}
        self._written: set[int] = set()  # before they were read
        self._stamps: dict[int, Hashable] = {}  # of rows that were compared with their files
        self.column = TextColumn()
        """Captions of the rows that were read."""

    def read_all(self, progress: Progress | None = None) -> None:
        """Read what is not read yet; ``progress`` is called with the rows read."""
        entries = self.entries
        with self._reading:
            known = len(self.column)
            for start in range(known, len(entries), BLOCK):
                texts = self._source.read_next(entries[start : start + BLOCK])
                with self._guard:
                    for row in sorted(self._written):  # meanwhile
                        if row < start + len(texts):
                            texts[row - start] = self._source.read(entries[row])
                            self._source.forget(row)
                            self._written.discard(row)
                    self.column.extend(texts)
                if progress is not None:
                    progress(len(self.column))
            if known < len(entries):
                self._source.keep(entries, self.column.array())

    def caption(self, row: int) -> str | None:
        """The caption of a row, which is read now if it was not before."""
        with self._guard:
            return self.column[row] if row < len(self.column) else self._source.read(self.entries[row])

    def refresh(self, rows: Iterable[int]) -> list[int]:
        """Take over captions that something else has changed since they were read; returns their rows.

        A row's caption is read the first time, then only where the stamp of its files differs.
        """
        changed: dict[int, str | None] = {}
        for row in rows:
            stamp = self._source.stamp(self.entries[row])
            if row >= len(self.column) or (stamp is not None and self._stamps.get(row) == stamp):
                continue
            with self._guard:  # an edit that is written now is none from outside
                caption = self._source.read(self.entries[row])
                if caption != self.column[row]:
                    changed[row] = caption
                    self.update({row: caption})
            if stamp is not None:
                self._stamps[row] = stamp
        return list(changed)

    def key_of(self, file: str) -> str | None:
        """The key of the row whose caption is kept in ``file``."""
        row = self._rows.get(file)
        return self.entries[row].key if row is not None else None

    def changes(
        self, wanted: Iterable[tuple[int, str | None]], before: Iterable[str | None] | None, left: LeftAlone
    ) -> Iterator[Change]:
        """What gives rows new captions; those that hold another one than ``before`` go to ``left``."""
        expected: Iterator[str | None] | None = None if before is None else iter(before)
        for row, text in wanted:
            was = None if expected is None else next(expected)
            try:
                change, found = self._source.change(self.entries[row], text)
            except SampleError as error:
                left.failed.append((self.entries[row].key, str(error)))
                continue
            if expected is not None and was != found:
                left.conflicts.append(change.file.removeprefix(CAPTION))
                self.update({row: found})
            else:
                yield change

    def versions(self, row: int, history: History) -> list[CaptionVersion]:
        """The captions that a row has had, the latest first."""
        entry = self.entries[row]
        return [
            CaptionVersion(
                edit=version.edit.id,
                time=time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(version.edit.time)),
                by=_writer(version.edit.info),
                prompt_id=version.edit.info.prompt_id,
                caption=None if version.content is None else self._source.decode(entry, version.content),
            )
            for version in history.versions(name_to_text(entry.sidecar))
        ]

    def note(self, contents: Mapping[str, bytes | None]) -> None:
        """Take over what an edit has written."""
        texts: dict[int, str | None] = {}
        for file, content in contents.items():
            row = self._rows.get(file)
            if row is not None:
                texts[row] = self._source.caption_with(self.entries[row], content)
        self.update(texts)

    def update(self, texts: Mapping[int, str | None]) -> None:
        self._written.update(row for row in texts if row >= len(self.column))
        self.column.update({row: text for row, text in texts.items() if row < len(self.column)})


def _writer(info: EditInfo) -> str:
    """Who wrote a caption, or what the edit was."""
    if not info.model:
        return info.summary
    return f"{info.model}, changed by a person" if info.author else info.model
