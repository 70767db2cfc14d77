"""The words of a dataset's captions, kept up with edits."""

from __future__ import annotations

import threading
from collections.abc import Set as AbstractSet

import numpy as np

from cutline.analysis.cluster_terms import telling_terms
from cutline.analysis.clusters import Labels
from cutline.analysis.terms import Term, TermOptions, term_table
from cutline.analysis.word_index import Mask, WordIndex
from cutline.dataset.dataset import Dataset
from cutline.dataset.preview import RowNumbers


class DatasetWords:
    """Counts words and phrases of any rows. Any thread may call; one counts at a time."""

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
        """The terms of ``rows``, or all; ``rest`` is what they are compared with, by default all other rows.

        The first call reads all captions and makes the index; later ones index the captions that changed.
        """
        texts = self._dataset.texts()
        with self._counting:
            self._index.update(texts)
            selection, others = self._mask(rows), self._mask(rest)
            if others is not None:
                selection = ~others if selection is None else selection
                others &= ~selection
            return term_table(self._index, selection, others, options or TermOptions())

    def telling_terms(self, labels: Labels, stop_words: AbstractSet[str]) -> list[list[str]]:
        """The terms that tell the captions of each cluster from the others; see ``telling_terms``."""
        texts = self._dataset.texts()
        with self._counting:
            self._index.update(texts)
            return telling_terms(self._index, labels, stop_words)

    def _mask(self, rows: RowNumbers | None) -> Mask | None:
        if rows is None:
            return None
        mask = np.zeros(self._index.rows, dtype=bool)
        mask[rows] = True
        return mask
