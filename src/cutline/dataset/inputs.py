"""The interface of a dataset's inputs."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

import pyarrow as pa

from cutline.dataset.contents import Contents
from cutline.dataset.records import Change
from cutline.dataset.scan import Entry
from cutline.records import Location

Listed = Callable[[int], None]
"""Called with the number of rows listed so far; an exception from it ends the listing."""

_EVERY: Final = 1000  # rows
_T = TypeVar("_T")


class DatasetInput(Protocol):
    """Rows of pictures, and the storage of their captions.

    ``place``: the real path of the input; the history is beside it. ``unit``: what an edit writes, a
    ``file`` or a ``caption``. ``contents``: the storage of edited captions, by the ``sidecar`` of an entry.
    ``with_several``: rows with a list of captions, of which the first is read. ``choice_note``: whose
    captions are read where there are those of several prompts.
    """

    place: str
    unit: str
    with_several: int
    choice_note: str

    @property
    def contents(self) -> Contents: ...

    def entries(self, listed: Listed | None = None) -> Sequence[Entry]:
        """List the rows again; ``listed`` is called with the number so far. ConfigError if that fails."""

    def read(self, entry: Entry) -> str | None:
        """The current caption; None if it is missing or unreadable."""

    def read_next(self, entries: Sequence[Entry]) -> list[str | None]:
        """The captions of the next rows, in the order of all rows."""

    def forget(self, row: int) -> None:
        """The caption of a row differs from the one that ``read_next`` returned."""

    def keep(self, entries: Sequence[Entry], captions: pa.ChunkedArray) -> None:
        """Called once all captions are read."""

    def stamp(self, entry: Entry) -> Hashable | None:
        """A stamp that differs after a change of the caption by others; None: only reading tells."""

    def problem(self, entry: Entry) -> str:
        """Why the caption cannot be edited; empty if it can be."""

    def decode(self, entry: Entry, content: bytes) -> str | None:
        """The caption in the row's stored content."""

    def caption_with(self, entry: Entry, content: bytes | None) -> str | None:
        """The row's caption with this stored content."""

    def earlier(self, entry: Entry, content: bytes | None, other: bytes | None) -> str | None:
        """The caption at the time of an edit that put ``content`` and ``other`` in each other's place."""

    def note(self, entry: Entry) -> str:
        """A note about a row, such as why a run failed; mostly empty."""

    def change(self, entry: Entry, caption: str | None) -> tuple[Change, str | None]:
        """The change that sets or removes a picture's caption, and the current caption.

        Raises:
            SampleError: it cannot be edited.
        """

    def converts(self, entry: Entry, caption: str | None) -> str:
        """The encoding of a text that this caption would make UTF-8; mostly empty."""

    @property
    def encodings(self) -> Mapping[str, str]:
        """The encodings of texts that are not UTF-8, by their files."""

    @property
    def converted(self) -> Mapping[str, str]:
        """The earlier encodings of texts that edits made UTF-8, by their files."""

    def location(self, entry: Entry) -> Location:
        """The location of the picture; PictureError: it cannot be found, or must not be read."""

    def text_name(self, entry: Entry) -> str:
        """A unique path ending in ``.txt`` for the text beside the picture."""

    def superseded(self) -> list[str]:
        """The keys of edited rows whose text in the input was replaced since."""

    def written_by(self, model: str) -> Iterable[str]:
        """The keys of the rows whose captions are by a model, if the input tells."""

    def columns(self, entry: Entry) -> Mapping[str, Any]:
        """The other columns of a row in the input, by name.

        Raises:
            ConfigError: the input has been replaced since.
        """

    @property
    def column_types(self) -> Mapping[str, Any]:
        """The Arrow types of the columns, if the input has any."""

    def original(self, entry: Entry) -> str | None:
        """The caption without edits; None if edits replace it."""

    def provenance(self, entry: Entry) -> tuple[str, str]:
        """Model and prompt of the input's caption; empty if unknown."""


def counted(rows: Iterable[_T], listed: Listed | None) -> Iterator[_T]:
    """List the rows; ``listed`` is called from time to time."""
    for number, row in enumerate(rows):
        if listed is not None and number % _EVERY == 0:
            listed(number)
        yield row
