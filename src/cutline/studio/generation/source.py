"""Rows of a dataset as a source of samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cutline.dataset.dataset import Dataset
from cutline.errors import PictureError
from cutline.interfaces import Source
from cutline.records import Problem, Sample


class RowSource(Source):
    """Samples with the key of their picture and its current caption."""

    def __init__(self, dataset: Dataset, rows: Sequence[int]) -> None:
        self._dataset = dataset
        self._rows = rows

    def samples(self) -> Iterator[Sample]:
        dataset = self._dataset
        for row in self._rows:
            key, text = dataset.entries[row].key, dataset.caption(row)
            try:
                yield Sample(key=key, location=dataset.location(row), text=text)
            except PictureError as error:
                yield Sample(
                    key=key, location=None, text=text, problem=Problem(kind=error.kind, message=str(error))
                )

    def count(self) -> int:
        return len(self._rows)
