"""Compare captions with another set of captions, and with their pictures."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cutline.analysis.nearest import Similar
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


def caption_fit(own: Embeddings, progress: Progress | None = None) -> Similar:
    """How well each caption fits its picture, by cosines, the worst first; ``own``: CLIP image embeddings.

    Raises:
        ConfigError: the model of ``own`` embeds no texts, or no picture has a caption.
        StopEdit: ``progress`` raised it.
    """
    if own.of != "images":
        raise ConfigError("comparing captions with pictures needs embeddings of images by clip")
    captions = own.of_captions()
    captions.compute(progress)
    rows, scores = _cosines(own, captions)
    if not len(rows):
        raise ConfigError("no picture on the map has a caption")
    return Similar(rows=rows, scores=scores)


def _cosines(own: Embeddings, others: Embeddings) -> tuple[RowNumbers, npt.NDArray[np.float32]]:
    """The rows with a vector in both, which share a store, and their cosines, the smallest first."""
    here, there = own.places(), others.places()
    rows = np.flatnonzero((here >= 0) & (there >= 0))
    own.store.check(np.concatenate([here[rows], there[rows]]))
    matrix = own.store.matrix
    scores = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), _BLOCK):
        part = rows[start : start + _BLOCK]
        a, b = matrix[here[part]].astype(np.float32), matrix[there[part]].astype(np.float32)
        scores[start : start + _BLOCK] = np.einsum("nd,nd->n", a, b)
    order = np.argsort(scores, kind="stable")
    return rows[order], np.minimum(scores[order], 1)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CaptionDifference:
    """``rows`` by the cosines ``scores`` of both captions, the least similar first; ``texts``: the others.

    ``gained``: words that are more frequent in the other set, the most significant first; ``lost``: in the
    dataset.
    """

    rows: RowNumbers
    scores: npt.NDArray[np.float32]
    texts: list[str]
    gained: list[str]
    lost: list[str]


def caption_difference(
    dataset: Dataset, own: Embeddings, name: str, progress: Progress | None = None
) -> CaptionDifference:
    """Compare the captions with those of a set (see ``caption_set``), by the model of ``own``.

    Raises:
        ConfigError: there is no such set, or no picture has a caption in both.
        StopEdit: ``progress`` raised it.
    """
    theirs = caption_set(dataset, name).texts
    column = pa.chunked_array([pa.array([theirs.get(row) for row in range(len(dataset))], pa.string())])
    others = own.of_texts(column)
    others.compute(progress)
    own.compute()
    rows, scores = _cosines(own, others)
    if not len(rows):
        raise ConfigError(f"no picture has a caption both here and in {name}")
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
