"""The options, items and results of exports."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cutline.errors import PictureError
from cutline.records import Location


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """The options of an export.

    ``format``: one of ``FORMATS``, or None for that of the output's extension. ``overwrite``: replace an
    existing output. ``empty``: include pictures without a caption, with an empty one. ``column_types``: Arrow
    types of the input's other columns.
    """

    format: str | None = None
    overwrite: bool = False
    empty: bool = False
    column_types: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ExportItem:
    """A picture to export, and its caption; None if it has none, with the cause in ``problem``, if known.

    ``key`` is its path in the dataset as valid Unicode, ``location`` where it is, or why it cannot be read,
    ``name`` a unique relative path for a copy, and ``text_name`` one for a text beside it. ``model`` and
    ``prompt_id`` wrote the caption, if known; ``original`` is the input's own if edits do
    not replace it. ``columns``: the input's other columns.
    """

    key: str
    location: Location | PictureError
    name: str
    text_name: str
    caption: str | None
    original: str | None = None
    problem: str = ""
    model: str = ""
    prompt_id: str = ""
    columns: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def place(self) -> Location:
        """The location of the picture; PictureError: it cannot be read."""
        if isinstance(self.location, PictureError):
            raise self.location
        return self.location

    @property
    def text(self) -> str:
        return self.caption or ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ExportResult:
    """The result of an export: ``written`` + ``missing`` + ``failed`` + ``stopped`` are all in scope.

    ``missing`` have no caption. ``failed`` holds the pictures that could not be read, with the cause.
    ``stopped``: not reached before the export was stopped; ``output`` does not exist then. ``alone``: the
    pictures that are not in the folder where their texts were written, beside other pictures. ``replaced``:
    the texts of others that were replaced, which ``cutline undo`` brings back.
    """

    output: Path
    format: str
    written: int
    missing: int = 0
    failed: tuple[tuple[str, str], ...] = ()
    stopped: int = 0
    alone: tuple[str, ...] = ()
    replaced: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether ``output`` was written."""
        return bool(self.written) and not self.stopped
