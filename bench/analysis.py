"""Measure clusters, layouts and words of many captions: made vectors in groups, and captions of 69 words.

    python bench/analysis.py [--rows 100000] [--tsne 10000] [--json FILE] [--check]

See docs/design/analysis.md.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from figures import Figure, arguments, conclude

from cutline.analysis.cloud import word_cloud
from cutline.analysis.cluster_terms import telling_terms
from cutline.analysis.clusters import find_clusters, keep_numbers, suggest_count
from cutline.analysis.layout import tsne
from cutline.analysis.nearest import most_similar
from cutline.analysis.projection import load_sklearn, principal_components, scale
from cutline.analysis.stop_words import stop_words
from cutline.analysis.terms import TermOptions, term_table
from cutline.analysis.word_index import WordIndex

WORDS = [f"{first}{last}" for first in "bcdfghklmnprstvw" for last in ("at", "ed", "ing", "ox", "um", "ist")]


def measure(figures: list[Figure], name: str, most: float | None, call: Callable[[], Any]) -> Any:
    start, used = time.perf_counter(), time.process_time()
    result = call()
    wall, used = time.perf_counter() - start, time.process_time() - used
    figures.append(Figure(case=name, name="time", value=wall, unit="s", most=most))
    figures.append(Figure(case=name, name="processor", value=used, unit="CPU-s"))
    return result


def made_vectors(rows: int, groups: int = 30, dimensions: int = 384) -> np.ndarray:
    """Unit vectors in float16 around random directions."""
    rng = np.random.default_rng(1)
    middles = rng.normal(size=(groups, dimensions)).astype(np.float32)
    found = np.empty((rows, dimensions), np.float16)
    for start in range(0, rows, 10_000):
        count = min(10_000, rows - start)
        part = middles[rng.integers(0, groups, count)]
        part = part + 1.2 * rng.normal(size=part.shape).astype(np.float32)
        found[start : start + count] = part / np.linalg.norm(part, axis=1, keepdims=True)
    return found


def of_vectors(rows: int, laid_out: int) -> list[Figure]:
    figures: list[Figure] = []
    vectors = made_vectors(rows)
    load_sklearn()
    places = np.arange(rows, dtype=np.int64)
    find_clusters(principal_components(vectors, places[:1000]), 5)  # threads and libraries are there
    start = time.perf_counter()
    reduced = measure(figures, "components", None, lambda: principal_components(vectors, places))
    twenty = measure(figures, "20 clusters", None, lambda: find_clusters(reduced, 20))
    whole = time.perf_counter() - start
    figures.append(Figure(case="components and 20 clusters", name="time", value=whole, unit="s", most=2))
    sixty = measure(figures, "60 clusters", 1, lambda: find_clusters(reduced, 60))
    measure(figures, "numbers kept", 0.1, lambda: keep_numbers(sixty.labels, twenty.labels))
    measure(figures, "suggested count", None, lambda: suggest_count(reduced))
    measure(figures, "points", 0.1, lambda: scale(reduced))
    vector = vectors[7].astype(np.float32)
    where = np.arange(rows, dtype=np.int32)
    measure(figures, "more like this", 0.1, lambda: most_similar(vectors, where, vector, 50))
    if laid_out:
        most = 25.0 if laid_out == 10_000 else 240.0 if laid_out == 100_000 else None
        measure(figures, f"t-SNE of {laid_out:,}", most, lambda: tsne(reduced[:laid_out]))
    return figures


def of_words(rows: int) -> list[Figure]:
    figures: list[Figure] = []
    rng = random.Random(1)
    texts = [" ".join(rng.choices(WORDS, k=69)) for _ in range(rows)]
    blocks = pa.chunked_array([pa.array(texts[at : at + 5000]) for at in range(0, rows, 5000)])
    index = WordIndex()
    measure(figures, "word index", 4, lambda: (index.update(blocks), index.occurrences()))
    selection = np.arange(rows) % 3 == 0
    options = TermOptions(stop_words=stop_words(("en",)))
    terms = measure(figures, "table of a selection", 0.1, lambda: term_table(index, selection, None, options))
    measure(figures, "cloud of 150 words", 0.3, lambda: word_cloud(terms[:150]))
    labels = (np.arange(rows) % 60).astype(np.uint8)
    measure(figures, "terms of 60 clusters", None, lambda: telling_terms(index, labels, frozenset()))
    measure(figures, "pairs, first", None, lambda: index.occurrences(2))
    return figures


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--tsne", type=int, default=10_000, help="rows of the layout; 0 for none")
    options = parser.parse_args()
    figures = of_vectors(options.rows, min(options.tsne, options.rows)) + of_words(options.rows)
    return conclude(figures, options)


if __name__ == "__main__":
    sys.exit(main())
