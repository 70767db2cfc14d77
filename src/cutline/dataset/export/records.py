"""What an export is given and what it did."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cutline.errors import PictureError
from cutline.records import Location


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """How a dataset is exported.

    ``format``: one of ``FORMATS``, or None for that of the output's ending. ``overwrite``: an output that is
    there is replaced. ``empty``: pictures without a caption are exported too, with an empty one.
    ``column_types``: Arrow types of the columns that the input has besides.
    """

    format: str | None = None
    overwrite: bool = False
    empty: bool = False
    column_types: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ExportItem:
    """A picture to export, and its caption; None where it has none, for which ``problem`` may be the cause.

    ``key`` is its path in the dataset as valid Unicode, ``location`` where it is, or why it cannot be read,
    and ``text_name`` the path of a text beside it, which no other picture has. ``model`` and ``prompt_id``
    wrote the caption, as far as that is known. ``columns``: what the input has besides picture and caption.
    """

    key: str
    location: Location | PictureError
    text_name: str
    caption: str | None
    problem: str = ""
    model: str = ""
    prompt_id: str = ""
    columns: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def place(self) -> Location:
        """Where the picture is; PictureError: it cannot be read."""
        if isinstance(self.location, PictureError):
            raise self.location
        return self.location

    @property
    def text(self) -> str:
        return self.caption or ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ExportResult:
    """What an export wrote: ``written`` + ``missing`` + ``failed`` + ``stopped`` are all pictures in scope.

    ``missing`` have no caption. ``failed`` holds the pictures that could not be read, with the cause.
    ``stopped``: not reached before the export was stopped; then nothing at all is at ``output``.
    """

    output: Path
    format: str
    written: int
    missing: int = 0
    failed: tuple[tuple[str, str], ...] = ()
    stopped: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether something is at ``output``."""
        return bool(self.written) and not self.stopped
