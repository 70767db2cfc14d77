"""The report of a dataset as one offline HTML file: counts, words, clusters and findings."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from cutline.analysis.cloud import word_cloud
from cutline.analysis.clusters import best_count
from cutline.analysis.findings import Finding
from cutline.analysis.lint import lint
from cutline.analysis.map_plot import map_plot
from cutline.analysis.palette import group_color
from cutline.analysis.stop_words import stop_words
from cutline.analysis.terms import Term, TermOptions, term_table
from cutline.analysis.word_index import WordIndex
from cutline.dataset.dataset import Dataset
from cutline.dataset.dataset_clusters import Clustering
from cutline.dataset.embedding_map import EmbeddingMap, summarize
from cutline.dataset.embeddings import Embeddings
from cutline.dataset.preview import RowNumbers
from cutline.dataset.token_counter import count_tokens
from cutline.dataset.words import DatasetWords
from cutline.errors import PictureError
from cutline.imaging import Picture
from cutline.imaging.thumbnails import Thumbnail, thumbnail
from cutline.web.histogram import histogram
from cutline.web.html import render, style

_IN_CLOUD: Final = 120
_IN_TABLE: Final = 40
_FINDINGS: Final = 60
_OF_CLUSTER: Final = 8
_TELLING: Final = 1.0  # score of a word that a cluster has more often than the others
_SIDE: Final = 200  # pixels of a thumbnail
_TOKENS: Final = 77
_COUNTED: Final = 20_000  # captions whose tokens are counted, which takes a second


def dataset_report(
    dataset: Dataset,
    rows: RowNumbers | None = None,
    embeddings: Embeddings | None = None,
    clusters: int | None = None,
) -> str:
    """The page for ``rows`` or all; with clusters of the computed ``embeddings``.

    ``clusters``: their number; by default the suggested one.
    """
    texts = dataset.texts()
    chosen = np.arange(len(dataset)) if rows is None else rows
    if rows is not None:
        texts = texts.take(pa.array(rows))
    index = WordIndex()
    index.update(texts)
    terms = term_table(index, None, None, TermOptions(stop_words=stop_words(("en",))))
    shown, plot = _clusters(dataset, embeddings, chosen, clusters, index)
    findings = _one_row_for_rare_words(lint(texts, index))
    return render(
        "dataset_report.html",
        title=f"{len(chosen):,} pictures and their captions",
        style=style("report.css", "dataset_report.css"),
        folder=dataset.folder,
        made=dt.datetime.now().astimezone(),
        facts=_facts(texts),
        bars=histogram(_word_counts(texts)),
        cloud=Markup(word_cloud(terms[:_IN_CLOUD])),  # noqa: S704 - escaped there
        terms=terms[:_IN_TABLE],
        clusters=shown,
        of=None if embeddings is None else embeddings.of,
        plot=Markup(plot),  # noqa: S704 - escaped there
        findings=findings[:_FINDINGS],
        more=max(0, len(findings) - _FINDINGS),
    )


def _one_row_for_rare_words(findings: list[Finding]) -> list[Finding]:
    """Words that occur once, in one row."""
    rare = [each for each in findings if each.check == "once"]
    if len(rare) < 2:
        return findings
    words = ", ".join(each.text for each in rare)
    row = dataclasses.replace(
        rare[0], text=words, count=sum(each.count for each in rare), message="are used once", query=""
    )
    return [*(each for each in findings if each.check != "once"), row]


def _facts(texts: pa.ChunkedArray) -> list[tuple[str, str]]:
    words = _word_counts(texts)
    captions = len(words)
    facts = [("pictures", f"{len(texts):,}"), ("without a caption", f"{len(texts) - captions:,}")]
    if captions:
        low, middle, high = np.percentile(words, (5, 50, 95))
        facts.append(("words of a caption", f"{middle:.0f}, mostly {low:.0f} to {high:.0f}"))
        equal = captions - len(texts.unique().drop_null())
        facts.append(("equal to another caption", f"{equal:,}"))
        step = -(-captions // _COUNTED)
        some = texts.drop_null().take(pa.array(np.arange(0, captions, step))).to_pylist()
        long = sum(count_tokens(text) > _TOKENS for text in some) / len(some)
        facts.append((f"longer than CLIP's {_TOKENS} tokens", f"{long:.1%}"))
    return facts


def _word_counts(texts: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    split = pc.utf8_split_whitespace(pc.utf8_trim_whitespace(texts.drop_null()))
    return np.asarray(pc.list_value_length(split)).astype(np.int64)


def _clusters(
    dataset: Dataset,
    embeddings: Embeddings | None,
    rows: RowNumbers,
    count: int | None,
    index: WordIndex,
) -> tuple[list[dict[str, Any]], str]:
    if embeddings is None:
        return [], ""
    places = np.full(len(dataset), -1, np.int32)
    places[rows] = embeddings.places()[rows]
    found = EmbeddingMap.of_embeddings(embeddings, places)
    if not len(found.rows):
        return [], ""
    made = found.cluster(count or best_count(found.suggest()) or 1, DatasetWords(dataset))
    names = {number: made.name(number) for number in made.numbers}
    return _shown(dataset, made, rows, index), map_plot(found.points(), made.labels, names)


def _words_of(index: WordIndex, rows: npt.NDArray[np.bool_]) -> list[Term]:
    """The words that distinguish some captions from the others, with their shares in both."""
    options = TermOptions(stop_words=stop_words(("en",)), least=2, order="score")
    return [term for term in term_table(index, rows, None, options)[:_OF_CLUSTER] if term.score > _TELLING]


def _shown(dataset: Dataset, made: Clustering, rows: RowNumbers, index: WordIndex) -> list[dict[str, Any]]:
    """The clusters with their words and pictures; ``index`` is of the captions of ``rows``."""
    has_caption = np.asarray(pc.is_valid(dataset.texts()))
    return [
        {
            "summary": each,
            "color": group_color(each.number),
            "terms": _words_of(index, made.labels[rows] == each.number),
            "pictures": [
                {
                    "key": dataset.entries[row].key,
                    "caption": dataset.caption(row) or "",
                    "thumbnail": _thumbnail(dataset, row),
                    "is_edge": row in each.edge,
                }
                for row in (*each.middle, *each.edge)
            ],
        }
        for each in summarize(made, has_caption)
    ]


def _thumbnail(dataset: Dataset, row: int) -> Thumbnail | None:
    try:
        return thumbnail(Picture(dataset.location(row)), _SIDE)
    except PictureError:
        return None
