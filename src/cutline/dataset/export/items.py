"""The rows of a dataset as items of an export."""

from __future__ import annotations

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

    def problem(self, row: int) -> str: ...

    def location(self, row: int) -> Location: ...

    def text_name(self, row: int) -> str: ...

    def provenance(self, row: int) -> tuple[str, str]: ...

    def columns(self, row: int) -> Mapping[str, Any]: ...


def export_items(dataset: Rows, texts: pa.ChunkedArray, rows: RowNumbers) -> Iterator[ExportItem]:
    """The pictures of ``rows`` with their captions in ``texts``."""
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        captions = texts.take(pa.array(block)).to_pylist()
        for row, caption in zip(block.tolist(), captions, strict=True):
            yield _item(dataset, row, caption)


def _item(dataset: Rows, row: int, caption: str | None) -> ExportItem:
    location: Location | PictureError
    try:
        location = dataset.location(row)
    except PictureError as error:
        location = error
    model, prompt = dataset.provenance(row)
    return ExportItem(
        key=dataset.entries[row].key,
        location=location,
        text_name=dataset.text_name(row),
        caption=caption,
        problem=dataset.problem(row) if caption is None else "",
        columns=dataset.columns(row),
        model=model,
        prompt_id=prompt,
    )
