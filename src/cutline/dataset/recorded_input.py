"""Read-only inputs: edited captions are stored in the history beside them."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from cutline.dataset.contents import CAPTION
from cutline.dataset.edited_captions import EditedCaption, caption_digest
from cutline.dataset.history import History
from cutline.dataset.inputs import Listed, counted
from cutline.dataset.records import Change
from cutline.dataset.scan import Entry
from cutline.dataset.text_column import TextColumn
from cutline.errors import SampleError
from cutline.records import Location
from cutline.serialization import decode_object
from cutline.sources.names import extension


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InputRow:
    """A row of a table, or a sample of a shard.

    ``key`` is unique. ``picture`` is the argument of ``locate``. ``model`` and ``prompt_id`` wrote the
    caption, if the input tells. ``note``: why it has none, such as a failure of the run. ``columns``: other
    values as JSON, if they cannot be read again.
    """

    key: str
    caption: str | None
    picture: Any
    model: str = ""
    prompt_id: str = ""
    note: str = ""
    columns: bytes = b""


class NoFiles:
    """Contents of a dataset without files to write."""

    def read(self, file: str) -> bytes | None:
        raise SampleError("sidecar", f"{file} is not a caption of this input")

    def replace(self, file: str, content: bytes | None) -> None:  # noqa: ARG002
        self.read(file)

    def sync(self) -> None:
        """Nothing to do: the history flushes its values."""

    def remove_parts(self, files: list[str]) -> None:
        """Nothing to do: there are no files."""


class RecordedInput(ABC):
    """Rows that are read once.

    Each has the input's caption, unless the history has an edited one for its key. An edited caption whose
    input text was replaced since is not shown but noted; it stays in the history.
    """

    def __init__(self, place: str, history: History) -> None:
        self.place, self.unit = place, "caption"
        self.contents = NoFiles()
        self._history = history
        self._rows: list[InputRow] = []
        self._numbers: dict[str, int] = {}
        self._own = TextColumn()
        self._next = 0
        self._stems: Counter[str] = Counter()
        self._notes: dict[str, str] = {}
        self._edited: dict[str, bytes] = {}  # until all are read
        self._superseded: list[str] = []
        self.choice_note = ""
        """Whose captions are read where there are those of several prompts, and which others there are."""
        self.with_several = 0
        """Rows with a list of several captions, of which the first is read."""

    @abstractmethod
    def load(self) -> Iterator[InputRow]:
        """Read all rows; ConfigError if that fails."""

    @abstractmethod
    def locate(self, row: InputRow) -> Location:
        """Where a row's picture is; PictureError: it cannot be found, or must not be read."""

    def read_columns(self, number: int, row: InputRow) -> Mapping[str, Any]:  # noqa: ARG002
        """The input's values of a row, as for ``columns``."""
        return decode_object(row.columns) or {}

    @property
    def column_types(self) -> Mapping[str, Any]:
        return {}

    def columns(self, entry: Entry) -> Mapping[str, Any]:
        number = self._numbers[entry.key]
        return self.read_columns(number, self._rows[number])

    def entries(self, listed: Listed | None = None) -> Sequence[Entry]:
        self._rows, captions = [], []
        for row in counted(self.load(), listed):
            captions.append(row.caption)
            self._rows.append(dataclasses.replace(row, caption=None))
        self._own = TextColumn(captions)
        self._numbers = {row.key: number for number, row in enumerate(self._rows)}
        self._stems = Counter(_stem(row.key).casefold() for row in self._rows)
        self._notes = {row.key: row.note for row in self._rows if row.note}
        self._edited = self._history.values(CAPTION)
        self._superseded = [
            key
            for key, content in self._edited.items()
            if key in self._numbers and not self._is_current(self._numbers[key], content)
        ]
        for key in self._superseded:
            self._notes[key] = "edited before its input was replaced by another text: see its history"
        return [Entry(key=row.key, picture=row.key, sidecar=CAPTION + row.key) for row in self._rows]

    def superseded(self) -> list[str]:
        return self._superseded

    def read(self, entry: Entry) -> str | None:
        return self.caption_with(entry, self._history.value(entry.sidecar))

    def read_next(self, entries: Sequence[Entry]) -> list[str | None]:
        start, self._next = self._next, self._next + len(entries)
        texts: list[str | None] = self._own.array().slice(start, len(entries)).to_pylist()
        for number, entry in enumerate(entries):
            if entry.key in self._edited:
                texts[number] = self.caption_with(entry, self._edited[entry.key])
        return texts

    def caption_with(self, entry: Entry, content: bytes | None) -> str | None:
        number = self._numbers[entry.key]
        if content is None or not self._is_current(number, content):
            return self._own[number]
        return EditedCaption.decode(content).caption

    def earlier(self, entry: Entry, content: bytes | None, other: bytes | None) -> str | None:
        if content is not None:
            return self.decode(entry, content)
        number = self._numbers[entry.key]  # the own caption, which is known unless the input was replaced
        return self._own[number] if other is not None and self._is_current(number, other) else None

    def forget(self, row: int) -> None:  # noqa: B027 - for inputs that have a cache
        """Nothing to do: there is no cache."""

    def keep(self, entries: Sequence[Entry], captions: pa.ChunkedArray) -> None:  # noqa: ARG002
        """Nothing to do: the input's captions are stored apart from the edited ones."""
        self._edited = {}

    def stamp(self, entry: Entry) -> Hashable | None:  # noqa: ARG002
        """None, as another process may have edited it; reading it again is one query."""
        return None

    def problem(self, entry: Entry) -> str:  # noqa: ARG002
        return ""

    def note(self, entry: Entry) -> str:
        return self._notes.get(entry.key, "")

    def decode(self, entry: Entry, content: bytes) -> str | None:  # noqa: ARG002
        return EditedCaption.decode(content).caption

    def change(self, entry: Entry, caption: str | None) -> tuple[Change, str | None]:
        content = self._history.value(entry.sidecar)
        own = self._own[self._numbers[entry.key]]
        edited = EditedCaption(caption=caption or None, of=caption_digest(own))
        after = None if edited.caption == own else edited.encode()
        change = Change(file=entry.sidecar, before=content, after=after)
        return change, self.caption_with(entry, content)

    def converts(self, entry: Entry, caption: str | None) -> str:  # noqa: ARG002
        return ""

    @property
    def encodings(self) -> Mapping[str, str]:
        return {}

    @property
    def converted(self) -> Mapping[str, str]:
        return {}

    def location(self, entry: Entry) -> Location:
        return self.locate(self._rows[self._numbers[entry.key]])

    def text_name(self, entry: Entry) -> str:
        stem = _stem(entry.key)
        return f"{stem if self._stems[stem.casefold()] == 1 else entry.key}.txt"

    def written_by(self, model: str) -> Iterable[str]:
        return (row.key for row in self._rows if row.model == model)

    def original(self, entry: Entry) -> str | None:
        return self._own[self._numbers[entry.key]]

    def provenance(self, entry: Entry) -> tuple[str, str]:
        row = self._rows[self._numbers[entry.key]]
        return row.model, row.prompt_id

    def _is_current(self, number: int, content: bytes) -> bool:
        return EditedCaption.decode(content).of == caption_digest(self._own[number])


def _stem(key: str) -> str:
    ending = extension(key.rpartition("/")[2])
    return key[: -len(ending) - 1] if ending else key
