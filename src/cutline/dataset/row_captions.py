"""The captions of open rows: read in order, block by block, then kept in memory."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from cutline.dataset.contents import CAPTION
from cutline.dataset.history import History
from cutline.dataset.inputs import DatasetInput
from cutline.dataset.records import CaptionVersion, Change, EditInfo, EditRecord, Version
from cutline.dataset.scan import Entry
from cutline.dataset.text_column import BLOCK, TextColumn
from cutline.dataset.writer import Progress
from cutline.errors import SampleError
from cutline.files import name_to_text


@dataclasses.dataclass(slots=True)
class LeftAlone:
    """Files that an edit does not change: those with another text, and those that cannot be edited."""

    conflicts: list[str] = dataclasses.field(default_factory=list)
    failed: list[tuple[str, str]] = dataclasses.field(default_factory=list)


class RowCaptions:
    """Captions by row. ``guard`` is the lock around changes."""

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
        """Read the remaining captions; ``progress`` is called with the number read."""
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
        """The caption of a row, read on demand."""
        with self._guard:
            return self.column[row] if row < len(self.column) else self._source.read(self.entries[row])

    def refresh(self, rows: Iterable[int]) -> list[int]:
        """Reload captions that others have changed; returns their rows.

        A row's caption is read the first time, then only if the stamp of its files differs.
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
        """The key of the row whose caption is in ``file``."""
        row = self._rows.get(file)
        return self.entries[row].key if row is not None else None

    def changes(
        self, wanted: Iterable[tuple[int, str | None]], before: Iterable[str | None] | None, left: LeftAlone
    ) -> Iterator[Change]:
        """The changes that set captions; rows whose caption is not ``before`` are added to ``left``."""
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
        """The captions that a row has had, the latest first, with those that no edit wrote."""
        entry = self.entries[row]
        versions: list[CaptionVersion] = []
        later: Version | None = None
        for version in history.versions(name_to_text(entry.sidecar)):
            if later is not None and later.before != version.content:
                versions += self._found(entry, later, "changed by another program")
            caption = self._source.earlier(entry, version.content, version.before)
            versions.append(_version(version.edit, caption))
            later = version
        if later is not None:
            versions += self._found(entry, later, "as found")
        return versions

    def _found(self, entry: Entry, version: Version, by: str) -> list[CaptionVersion]:
        """The caption that an edit replaced, and that no edit wrote."""
        caption = self._source.earlier(entry, version.before, version.content)
        return [] if caption is None else [CaptionVersion(edit=0, time="", by=by, caption=caption)]

    def note(self, contents: Mapping[str, bytes | None]) -> None:
        """Apply an edit's changes."""
        texts: dict[int, str | None] = {}
        for file, content in contents.items():
            row = self._rows.get(file)
            if row is not None:
                texts[row] = self._source.caption_with(self.entries[row], content)
        self.update(texts)

    def update(self, texts: Mapping[int, str | None]) -> None:
        self._written.update(row for row in texts if row >= len(self.column))
        self.column.update({row: text for row, text in texts.items() if row < len(self.column)})


def _version(edit: EditRecord, caption: str | None) -> CaptionVersion:
    return CaptionVersion(
        edit=edit.id,
        time=time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(edit.time)),
        by=_writer(edit.info),
        prompt_id=edit.info.prompt_id,
        caption=caption,
    )


def _writer(info: EditInfo) -> str:
    """The author of a caption, or the edit."""
    if not info.model:
        return info.summary
    return f"{info.model}, changed by a person" if info.author else info.model
