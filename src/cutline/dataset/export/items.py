"""The rows of a dataset as items of an export."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

import pyarrow as pa

from cutline.dataset.export.records import ExportItem
from cutline.dataset.preview import RowNumbers
from cutline.dataset.scan import Entry
from cutline.errors import PictureError
from cutline.records import Location

_BLOCK: Final = 1000  # rows


class Rows(Protocol):
    """The parts of a dataset that an export reads."""

    entries: Sequence[Entry]
    image_root: str

    def problem(self, row: int) -> str: ...

    def location(self, row: int) -> Location: ...

    def text_name(self, row: int) -> str: ...

    def original(self, row: int) -> str | None: ...

    def provenance(self, row: int) -> tuple[str, str]: ...

    def columns(self, row: int) -> Mapping[str, Any]: ...


def export_items(dataset: Rows, texts: pa.ChunkedArray, rows: RowNumbers) -> Iterator[ExportItem]:
    """The pictures of ``rows`` with their captions in ``texts``."""
    above = _folder_above([entry.key for entry in dataset.entries], dataset.image_root)
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        captions = texts.take(pa.array(block)).to_pylist()
        for row, caption in zip(block.tolist(), captions, strict=True):
            yield _item(dataset, row, caption, len(above))


def _folder_above(keys: Sequence[str], image_root: str) -> str:
    """The folder that absolute paths are below, with its slash: the image root, or the longest common one."""
    if not all(key.startswith("/") for key in keys):
        return ""
    for folder in (image_root, posixpath.commonpath([posixpath.dirname(key) for key in keys] or ["/"])):
        prefix = folder.rstrip("/") + "/"
        if folder and all(key.startswith(prefix) for key in keys):
            return prefix
    return ""


def _item(dataset: Rows, row: int, caption: str | None, above: int) -> ExportItem:
    location: Location | PictureError
    try:
        location = dataset.location(row)
    except PictureError as error:
        location = error
    model, prompt = dataset.provenance(row)
    return ExportItem(
        key=dataset.entries[row].key,
        location=location,
        name=dataset.entries[row].key[above:],
        text_name=dataset.text_name(row)[above:],
        caption=caption,
        original=dataset.original(row),
        problem=dataset.problem(row) if caption is None else "",
        columns=dataset.columns(row),
        model=model,
        prompt_id=prompt,
    )
