"""ROUGE-L."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

from cutline.interfaces import CorpusMetric, Need
from cutline.text.corpus import Corpus, CorpusScore, mean_score

_BETA: Final = 1.2  # weight of recall, as in coco-caption


class RougeL(CorpusMetric):
    """F-measure of the longest common subsequence of caption and reference, recall weighted more.

    Precision and recall are each the best over the references, as in coco-caption.

    Source: Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004; the subsequence by
    Hyyrö, "Bit- Parallel LCS-length Computation Revisited", 2004.
    """

    name = "rouge-l"
    needs: ClassVar[frozenset[Need]] = frozenset({"references"})

    def scores(self, corpus: Corpus) -> Sequence[CorpusScore]:
        import numpy as np

        values = np.fromiter(
            (
                rouge_l(corpus.ids(caption), map(corpus.ids, corpus.references_of(caption)))
                for caption in range(len(corpus))
            ),
            float,
            len(corpus),
        )
        return [mean_score("ROUGE-L", "Longest common subsequence with a reference.", values)]


def rouge_l(caption: Sequence[int], references: Iterable[Sequence[int]]) -> float:
    """ROUGE-L of tokens against the tokens of several references."""
    places: dict[int, int] = {}
    for place, token in enumerate(caption):
        places[token] = places.get(token, 0) | 1 << place
    if not places:
        return 0.0
    precision = recall = 0.0
    for reference in references:
        if not reference:
            continue
        common = _common(places, len(caption), reference)
        precision = max(precision, common / len(caption))
        recall = max(recall, common / len(reference))
    if not precision or not recall:
        return 0.0
    return (1 + _BETA**2) * precision * recall / (recall + _BETA**2 * precision)


def _common(places: dict[int, int], length: int, reference: Sequence[int]) -> int:
    """The length of the longest common subsequence; a bit of ``places`` for each position of a token."""
    row = full = (1 << length) - 1
    for token in reference:
        if token in places:
            matched = row & places[token]
            row = (row + matched | row - matched) & full
    return length - row.bit_count()
