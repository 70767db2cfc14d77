"""The map of the open dataset: embeddings, points and clusters, computed in jobs."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from typing import Any, Final

import numpy as np
import pyarrow.compute as pc

from cutline.analysis.clusters import MOST, best_count
from cutline.analysis.layout import EARLY, LATE
from cutline.analysis.nearest import Similar, balanced_sample, outliers
from cutline.analysis.palette import group_color
from cutline.analysis.projection import load_sklearn
from cutline.dataset.caption_difference import CaptionDifference, caption_difference, caption_fit
from cutline.dataset.dataset import Dataset
from cutline.dataset.dataset_clusters import Clustering, Of
from cutline.dataset.embedding_map import EmbeddingMap, summarize
from cutline.dataset.embeddings import Embeddings, EmbedResult, open_embeddings
from cutline.dataset.preview import RowNumbers
from cutline.dataset.words import DatasetWords
from cutline.dataset.writer import Progress
from cutline.errors import ConfigError, MissingExtra
from cutline.studio.events import Events

COUNT: Final = 20
"""Initial number of clusters, if there are enough rows."""
_EACH: Final = 5  # rows of a cluster at first, at least
_NAMED: Final = 100


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An immutable state of the map, for the pages."""

    version: int
    map: EmbeddingMap
    points: bytes
    clustering: Clustering
    count: int
    clusters: list[dict[str, Any]]


class MapSession:
    """Computes the map of a dataset. Methods block, and are thread-safe."""

    def __init__(self, dataset: Dataset, words: DatasetWords, events: Events) -> None:
        self._dataset, self._words, self._events = dataset, words, events
        self._embeddings: Embeddings | None = None
        self._shown: Shown | None = None
        self._result = EmbedResult()
        self._notice = ""
        self.groups: list[RowNumbers] = []
        """The last result of ``duplicates``."""
        self.difference: CaptionDifference | None = None
        """The last result of ``compare``."""
        self.fits: Similar | None = None
        """The last result of ``fit``."""
        self._version = 0
        self._turn = 0
        self._guard = threading.RLock()
        self._clustering = threading.Lock()

    def state(self) -> dict[str, Any]:
        """The response of `GET /studio/map`."""
        shown, embeddings = self._shown, self._embeddings
        common = {"rows": len(self._dataset), "most": MOST}
        if shown is None or embeddings is None:
            threading.Thread(target=_load_libraries, daemon=True).start()  # before they are needed
            return {**common, "of": None, "model": None, "layout": None, "version": 0, "clusters": []}
        stale = self.stale()
        return {
            **common,
            "of": shown.map.of,
            "model": shown.map.model,
            "layout": shown.map.layout,
            "embedded": len(shown.map.rows),
            "stale": len(stale),
            "missing": len(self._dataset) - len(shown.map.rows),
            "version": shown.version,
            "clusters": shown.clusters,
            "count": shown.count,
            "notice": self._notice,
            "computed": self._result.computed,
            "reused": self._result.reused,
            "empty": self._result.empty,
            "failed": [list(one) for one in self._result.failed[:_NAMED]],
            "failed_count": len(self._result.failed),
        }

    @property
    def shown(self) -> Shown:
        """ConfigError: there is no map yet."""
        if self._shown is None:
            raise ConfigError("there is no map yet: compute it first")
        return self._shown

    def stale(self) -> RowNumbers:
        """The rows of the map whose caption or picture has changed since."""
        if self._embeddings is None:
            return np.empty(0, np.int64)
        return np.flatnonzero(self._embeddings.stale())

    def prepare(self, of: Of, model: str | None) -> tuple[Embeddings, int]:
        """The embeddings, and the number of missing ones."""
        with self._guard:
            known = self._embeddings
            if known is None or (known.of, known.model) != (of, model or known.model) or known.of != of:
                known = open_embeddings(self._dataset, of, model)
            return known, known.missing()

    def compute(self, embeddings: Embeddings, progress: Progress) -> None:
        """Compute missing embeddings, the points and their clusters, and show them."""
        result = embeddings.compute(progress)
        found = EmbeddingMap.of_embeddings(embeddings, embeddings.places())
        if not len(found.rows):
            raise ConfigError(_nothing(result, embeddings.of))
        latest = self._dataset.clusters.latest()
        same = latest is not None and (latest.of, latest.model) == (found.of, found.model)
        count = len(latest.numbers) if same and latest is not None else _first_count(len(found.rows))
        clustering = found.cluster(count, self._words, latest if same else None)
        notice = embeddings.notice()
        with self._guard:
            self._embeddings, self._result, self._notice = embeddings, result, notice
            self._show(found, clustering, count)

    def cluster(self, count: int) -> Shown:
        """Change the number of clusters; if it is changed again meanwhile, the later map is returned."""
        with self._guard:
            self._turn += 1
            turn = self._turn
        with self._clustering:
            shown = self.shown
            if turn != self._turn:
                return shown
            count = min(count, len(shown.map.rows))
            found = shown.map.cluster(count, self._words, shown.clustering)
            with self._guard:
                return self._show(shown.map, found, count)

    def rename(self, number: int, name: str) -> Shown:
        with self._guard:
            shown = self.shown
            return self._show(shown.map, shown.clustering.named(number, name), shown.count)

    def lay_out(self, progress: Progress) -> None:
        """Lay out the map by t-SNE; ``progress`` counts up to ``ROUNDS``."""
        shown = self.shown
        shown.map.lay_out(progress)
        with self._guard:
            if self.shown.map is shown.map:
                self._show(shown.map, self.shown.clustering, self.shown.count)

    def suggest(self) -> dict[str, Any]:
        curve = self.shown.map.suggest()
        return {"count": best_count(curve), "curve": curve}

    def similar(self, row: int, limit: int) -> Similar:
        found = self.shown.map.similar(row, limit)
        if not len(found.rows):
            raise ConfigError(f"{self._dataset.entries[row].key} is not on the map: compute it first")
        return found

    def search(self, text: str, limit: int) -> Similar:
        """The rows nearest to a text. ConfigError: the model of the map embeds no texts."""
        shown = self.shown
        if self._embeddings is None:
            raise ConfigError("there is no map yet: compute it first")
        return shown.map.nearest(self._embeddings.text_vector(text), limit)

    def fit(self, progress: Progress) -> None:
        """Compute how well captions fit their pictures, as ``fits``."""
        if self._embeddings is None:
            raise ConfigError("there is no map yet: compute it first")
        self.fits = caption_fit(self._embeddings, progress)

    def outliers(self, limit: int) -> Similar:
        clustering = self.shown.clustering
        return outliers(clustering.labels, clustering.distances, limit)

    def sample(self, count: int, rows: RowNumbers | None) -> RowNumbers:
        return balanced_sample(self.shown.clustering.labels, count, rows=rows)

    def duplicates(self, least: float, progress: Progress) -> None:
        """Find groups of similar rows; the first of each is the one to keep."""
        self.groups = self.shown.map.near_duplicates(least, progress)

    def compare(self, name: str, progress: Progress) -> None:
        """Find where the captions of a set differ in meaning, as ``difference``."""
        if self._embeddings is None:
            raise ConfigError("there is no map yet: compute it first")
        self.difference = caption_difference(self._dataset, self._embeddings, name, progress)

    def _show(self, found: EmbeddingMap, clustering: Clustering, count: int) -> Shown:
        self._dataset.clusters.keep(clustering)
        self._version += 1
        has_caption = np.asarray(pc.is_valid(self._dataset.texts()))
        clusters = [
            {**dataclasses.asdict(each), "missing_captions": each.missing, "color": group_color(each.number)}
            for each in summarize(clustering, has_caption)
        ]
        self._shown = Shown(
            version=self._version,
            map=found,
            points=found.points().astype("<f4").tobytes(),
            clustering=clustering,
            count=count,
            clusters=clusters,
        )
        self._events.publish("map", version=self._version)
        return self._shown


ROUNDS: Final = EARLY + LATE


def _load_libraries() -> None:
    with contextlib.suppress(MissingExtra):
        load_sklearn()


def _first_count(rows: int) -> int:
    return max(min(2, rows), min(COUNT, rows // _EACH))


def _nothing(result: EmbedResult, of: Of) -> str:
    if result.failed:
        key, reason = result.failed[0]
        return f"no picture can be read, such as {key}: {reason}"
    if result.stopped:
        return "stopped before anything was computed"
    return f"there are no {of} to compute"
