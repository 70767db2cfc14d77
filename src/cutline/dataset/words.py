"""The words of a dataset's captions, updated after edits."""

from __future__ import annotations

import threading
from collections.abc import Set as AbstractSet

import numpy as np

from cutline.analysis.cluster_terms import EACH, telling_terms
from cutline.analysis.clusters import Labels
from cutline.analysis.terms import Term, TermOptions, term_table
from cutline.analysis.word_index import Mask, WordIndex
from cutline.dataset.dataset import Dataset
from cutline.dataset.preview import RowNumbers


class DatasetWords:
    """Counts words and phrases of any rows. Thread-safe; one thread counts at a time."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._index = WordIndex()
        self._counting = threading.Lock()

    def terms(
        self,
        rows: RowNumbers | None = None,
        rest: RowNumbers | None = None,
        options: TermOptions | None = None,
    ) -> list[Term]:
        """The terms of ``rows``, or all; ``rest`` are the rows to compare with, by default all others.

        The first call reads all captions and builds the index; later ones update it.
        """
        texts = self._dataset.texts()
        with self._counting:
            self._index.update(texts)
            selection, others = self._mask(rows), self._mask(rest)
            if others is not None:
                selection = ~others if selection is None else selection
                others &= ~selection
            return term_table(self._index, selection, others, options or TermOptions())

    def telling_terms(
        self, labels: Labels, stop_words: AbstractSet[str], each: int = EACH
    ) -> list[list[str]]:
        """The terms that distinguish the captions of each cluster; see ``telling_terms``."""
        texts = self._dataset.texts()
        with self._counting:
            self._index.update(texts)
            return telling_terms(self._index, labels, stop_words, each)

    def _mask(self, rows: RowNumbers | None) -> Mask | None:
        if rows is None:
            return None
        mask = np.zeros(self._index.rows, dtype=bool)
        mask[rows] = True
        return mask
