"""A map of a dataset: its pictures or captions as points on a plane, and their clusters."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Sequence
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from cutline.analysis.cluster_terms import EACH
from cutline.analysis.clusters import NONE, find_clusters, keep_numbers, suggest_count
from cutline.analysis.layout import tsne
from cutline.analysis.nearest import Similar, most_similar, near_duplicates
from cutline.analysis.projection import Matrix, Vectors, principal_components, scale
from cutline.analysis.stop_words import stop_words
from cutline.dataset.dataset_clusters import Clustering, Of
from cutline.dataset.embeddings import Embeddings
from cutline.dataset.preview import RowNumbers
from cutline.dataset.words import DatasetWords

Layout = Literal["pca", "t-sne"]
MIDDLE: Final = 6
EDGE: Final = 3
"""Number of example rows of a cluster: the nearest to its centre, and the farthest."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSummary:
    """``number`` from 0; ``share`` of all rows on the map; ``missing``: share without a caption."""

    number: int
    name: str
    size: int
    share: float
    missing: float
    terms: tuple[str, ...]
    middle: tuple[int, ...]
    edge: tuple[int, ...]


class EmbeddingMap:
    """A snapshot of the embeddings. Thread-safe; one thread computes at a time."""

    def __init__(
        self, matrix: Matrix, places: npt.NDArray[np.int32], *, of: Of, model: str, seed: int = 0
    ) -> None:
        """``places``: the index of each row's vector in ``matrix``, or -1. Blocks for the components."""
        self.of, self.model = of, model
        self._matrix, self._places, self._seed = matrix, places, seed
        self.rows: RowNumbers = np.flatnonzero(places >= 0)
        """The rows on the map."""
        self._reduced = principal_components(matrix, places[self.rows].astype(np.int64), seed)
        self.layout: Layout = "pca"
        self._plane = scale(self._reduced)
        self._computing = threading.Lock()

    @classmethod
    def of_embeddings(cls, embeddings: Embeddings, places: npt.NDArray[np.int32]) -> EmbeddingMap:
        """The map of the rows with a vector; ConfigError: the store is damaged."""
        embeddings.store.check(places)
        return cls(embeddings.store.matrix, places, of=embeddings.of, model=embeddings.model)

    def __len__(self) -> int:
        return len(self._places)

    def points(self) -> npt.NDArray[np.float32]:
        """Coordinates within -1 and 1, of shape ``(rows, 2)``; NaN for rows that are not on the map."""
        found = np.full((len(self), 2), np.nan, np.float32)
        found[self.rows] = self._plane
        return found

    def cluster(
        self, count: int, words: DatasetWords | None = None, before: Clustering | None = None
    ) -> Clustering:
        """Cluster the rows on the map, and name the clusters by the terms of their captions.

        ``before``: a clustering whose numbers and given names the most similar clusters keep.
        """
        with self._computing:
            found = find_clusters(self._reduced, count, self._seed)
        labels = np.full(len(self), NONE, np.uint8)
        labels[self.rows] = found.labels
        distances = np.full(len(self), np.nan, np.float32)
        distances[self.rows] = found.distances
        given: dict[int, str] = {}
        if before is not None and len(before.labels) == len(labels):
            labels = keep_numbers(labels, before.labels)
            given = {number: name for number, name in before.given.items() if (labels == number).any()}
        terms = [] if words is None else words.telling_terms(labels, stop_words(("en",)), 2 * EACH)
        return Clustering(
            of=self.of,
            model=self.model,
            labels=labels,
            distances=distances,
            terms=_unlike(terms),
            given=given,
        )

    def suggest(self) -> list[tuple[int, float]]:
        """Counts of clusters and their silhouettes; see ``best_count``."""
        with self._computing:
            return suggest_count(self._reduced, self._seed)

    def lay_out(self, progress: Callable[[int], None] = lambda _: None) -> None:
        """Lay out the points by t-SNE; ``progress`` as for ``tsne``. Blocks for minutes."""
        plane = tsne(self._reduced, progress, self._seed)
        self._plane, self.layout = plane, "t-sne"

    def similar(self, row: int, limit: int) -> Similar:
        """The rows most similar to one, with cosines; empty if that has no vector."""
        place = int(self._places[row])
        if place < 0:
            return Similar(rows=np.empty(0, np.int64), scores=np.empty(0, np.float32))
        return most_similar(self._matrix, self._places, self._matrix[place].astype(np.float32), limit)

    def nearest(self, vector: npt.NDArray[np.float32], limit: int) -> Similar:
        """The rows most similar to a vector, with cosines."""
        return most_similar(self._matrix, self._places, vector, limit)

    def near_duplicates(
        self, least: float, progress: Callable[[int], None] = lambda _: None
    ) -> list[RowNumbers]:
        """Groups of rows whose cosine with the first of their group is ``least`` or more.

        Rows of one content are near each other. Blocks: 100,000 rows take up to half a minute.
        """
        places, first, owners = np.unique(self._places[self.rows], return_index=True, return_inverse=True)
        order = np.argsort(first, kind="stable")  # by the first row of each content
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        ordered = places[order]

        def vectors(some: RowNumbers) -> Vectors:
            return self._matrix[ordered[some]].astype(np.float32)

        groups = near_duplicates(self._reduced[first[order]], vectors, least, progress)
        leader = np.arange(len(order))
        for group in groups:
            leader[group] = group[0]
        of_row = leader[rank[owners]]
        by_leader = np.argsort(of_row, kind="stable")
        parts = np.split(self.rows[by_leader], np.flatnonzero(np.diff(of_row[by_leader])) + 1)
        return [part for part in parts if len(part) > 1]


def summarize(clustering: Clustering, has_caption: npt.NDArray[np.bool_]) -> list[ClusterSummary]:
    """A description of each cluster with rows, by number."""
    total = max(1, int((clustering.labels != NONE).sum()))
    order = np.argsort(clustering.labels, kind="stable")
    bounds = np.searchsorted(clustering.labels[order], np.arange(NONE + 1))
    found = []
    for number in clustering.numbers:
        rows = order[bounds[number] : bounds[number + 1]]
        by_distance = rows[np.argsort(clustering.distances[rows], kind="stable")]
        edge = by_distance[MIDDLE:][-EDGE:][::-1]
        found.append(
            ClusterSummary(
                number=number,
                name=clustering.name(number),
                size=len(rows),
                share=len(rows) / total,
                missing=float(1 - has_caption[rows].mean()),
                terms=clustering.terms[number] if number < len(clustering.terms) else (),
                middle=tuple(by_distance[:MIDDLE].tolist()),
                edge=tuple(edge.tolist()),
            )
        )
    return found


def _unlike(terms: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """``EACH`` of the terms of each cluster, a different name for each; none where there is none left."""
    seen: set[tuple[str, ...]] = set()
    kept = []
    for each in terms:
        names = ((*each[: EACH - 1], last) for last in each[EACH - 1 :])
        name = next((name for name in names if name not in seen), ())
        if len(each) < EACH and tuple(each) not in seen:
            name = tuple(each)
        kept.append(name)
        seen.add(name)
    return tuple(kept)
