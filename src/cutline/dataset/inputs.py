"""What a dataset opens."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

import pyarrow as pa

from cutline.dataset.contents import Contents
from cutline.dataset.records import Change
from cutline.dataset.scan import Entry
from cutline.records import Location

Listed = Callable[[int], None]
"""Called with the number of rows that are listed so far; an exception from it ends the listing."""

_EVERY: Final = 1000  # rows
_T = TypeVar("_T")


class DatasetInput(Protocol):
    """Rows of pictures, and where their captions are kept.

    ``place``: the real path of the input, beside which the history lies. ``unit``: what an edit writes, a
    ``file`` or a ``caption``. ``contents``: what holds the
    captions that edits write, by the name that an entry has for its ``sidecar``.
    """

    place: str
    unit: str

    @property
    def contents(self) -> Contents: ...

    def entries(self, listed: Listed | None = None) -> Sequence[Entry]:
        """The rows, listed anew; ``listed`` is called with the number so far. ConfigError: they cannot be."""

    def read(self, entry: Entry) -> str | None:
        """The caption as it is now; None where there is none, or none that can be read."""

    def read_next(self, entries: Sequence[Entry]) -> list[str | None]:
        """The captions of the rows that come next, in the order of all rows."""

    def forget(self, row: int) -> None:
        """The caption of a row is not the one that ``read_next`` returned."""

    def keep(self, entries: Sequence[Entry], captions: pa.ChunkedArray) -> None:
        """All captions were read."""

    def stamp(self, entry: Entry) -> Hashable | None:
        """What is another one after a change of the caption from outside; None: it must be read to know."""

    def problem(self, entry: Entry) -> str:
        """Why the caption cannot be edited; empty if it can."""

    def decode(self, entry: Entry, content: bytes) -> str | None:
        """The caption in what ``contents`` holds for the row."""

    def caption_with(self, entry: Entry, content: bytes | None) -> str | None:
        """The row's caption once ``contents`` holds this for it."""

    def note(self, entry: Entry) -> str:
        """What a person should know of a row, such as why a run failed; mostly empty."""

    def change(self, entry: Entry, caption: str | None) -> tuple[Change, str | None]:
        """The change that gives a picture its caption, or none, and the caption that it has.

        Raises:
            SampleError: it cannot be edited.
        """

    def location(self, entry: Entry) -> Location:
        """Where the picture is; PictureError: it cannot be found, or must not be read."""

    def text_name(self, entry: Entry) -> str:
        """The path of a text beside the picture, ending in ``.txt``, which no other picture has."""

    def superseded(self) -> list[str]:
        """The keys of the rows that were edited when the input had another text for them."""

    def written_by(self, model: str) -> Iterable[str]:
        """The keys of the rows whose captions are a model's, as far as the input tells."""

    def columns(self, entry: Entry) -> Mapping[str, Any]:
        """What the input has for a row besides picture and caption, by the names of its columns.

        Raises:
            ConfigError: the input has been replaced since.
        """

    @property
    def column_types(self) -> Mapping[str, Any]:
        """The Arrow types of the columns, where the input has such."""

    def provenance(self, entry: Entry) -> tuple[str, str]:
        """Model and prompt of the input's own caption; empty if unknown."""


def counted(rows: Iterable[_T], listed: Listed | None) -> Iterator[_T]:
    """The rows; ``listed`` is called from time to time."""
    for number, row in enumerate(rows):
        if listed is not None and number % _EVERY == 0:
            listed(number)
        yield row
