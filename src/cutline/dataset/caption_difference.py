"""Where two sets of captions of the same pictures say something else."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cutline.analysis.stop_words import stop_words
from cutline.analysis.terms import SURE, TermOptions, term_table
from cutline.analysis.word_index import WordIndex
from cutline.dataset.caption_sets import caption_set
from cutline.dataset.dataset import Dataset
from cutline.dataset.embeddings import Embeddings
from cutline.dataset.preview import RowNumbers
from cutline.dataset.writer import Progress
from cutline.errors import ConfigError

_TERMS: Final = 30
_BLOCK: Final = 8192  # rows


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CaptionDifference:
    """``rows`` by the cosines ``scores`` of both captions, the least alike first; ``texts`` of the other set.

    ``gained``: words that the other set has more often, the surest first; ``lost``: that the dataset has.
    """

    rows: RowNumbers
    scores: npt.NDArray[np.float32]
    texts: list[str]
    gained: list[str]
    lost: list[str]


def caption_difference(
    dataset: Dataset, own: Embeddings, name: str, progress: Progress | None = None
) -> CaptionDifference:
    """Compare the captions with those of a set, as of ``caption_set``, by the model of ``own``.

    Raises:
        ConfigError: there is no such set, or no picture has a caption in both.
        StopEdit: ``progress`` raised it.
    """
    theirs = caption_set(dataset, name).texts
    column = pa.chunked_array([pa.array([theirs.get(row) for row in range(len(dataset))], pa.string())])
    others = own.of_texts(column)
    others.compute(progress)
    own.compute()
    here, there = own.places(), others.places()
    rows = np.flatnonzero((here >= 0) & (there >= 0))
    if not len(rows):
        raise ConfigError(f"no picture has a caption both here and in {name}")
    matrix = own.store.matrix
    scores = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), _BLOCK):
        part = rows[start : start + _BLOCK]
        a, b = matrix[here[part]].astype(np.float32), matrix[there[part]].astype(np.float32)
        scores[start : start + _BLOCK] = np.einsum("nd,nd->n", a, b)
    order = np.argsort(scores, kind="stable")
    rows, scores = rows[order], np.minimum(scores[order], 1)
    gained, lost = _words(dataset.texts(), column)
    texts = column.take(pa.array(rows)).to_pylist()
    return CaptionDifference(rows=rows, scores=scores, texts=texts, gained=gained, lost=lost)


def _words(here: pa.ChunkedArray, there: pa.ChunkedArray) -> tuple[list[str], list[str]]:
    index = WordIndex()
    index.update(pa.chunked_array([*here.chunks, *there.chunks], pa.string()))
    is_other = np.arange(index.rows) >= len(here)
    dropped = stop_words(("en",))
    found = []
    for selection in (is_other, ~is_other):
        terms = term_table(index, selection, None, TermOptions(stop_words=dropped, order="score"))
        found.append([term.term for term in terms if term.score > SURE][:_TERMS])
    return found[0], found[1]
