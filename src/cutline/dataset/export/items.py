"""The rows of a dataset as they are exported."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

import pyarrow as pa

from cutline.dataset.export.records import ExportItem
from cutline.dataset.preview import RowNumbers
from cutline.dataset.scan import Entry
from cutline.files import name_to_text

_BLOCK: Final = 1000  # rows


class Rows(Protocol):
    """A dataset, as far as its rows are exported."""

    folder: str
    entries: Sequence[Entry]

    def problem(self, row: int) -> str: ...


def export_items(dataset: Rows, texts: pa.ChunkedArray, rows: RowNumbers) -> Iterator[ExportItem]:
    """The pictures of ``rows`` with their captions in ``texts``."""
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        captions = texts.take(pa.array(block)).to_pylist()
        for row, caption in zip(block.tolist(), captions, strict=True):
            entry = dataset.entries[row]
            yield ExportItem(
                key=entry.key,
                file=os.path.join(dataset.folder, entry.picture),  # noqa: PTH118 - names need not be Unicode
                text_name=name_to_text(os.path.splitext(entry.sidecar)[0]) + ".txt",  # noqa: PTH122 - as above
                caption=caption,
                problem=dataset.problem(row) if caption is None else "",
            )
