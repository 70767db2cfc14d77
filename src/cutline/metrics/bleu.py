"""BLEU 1 to 4."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from cutline.interfaces import CorpusMetric, Need
from cutline.text.corpus import Corpus, CorpusScore

if TYPE_CHECKING:
    import numpy as np

_TINY: Final = 1e-15  # as coco-caption adds them against divisions by zero
_SMALL: Final = 1e-9


class Bleu(CorpusMetric):
    """Share of the caption's n-grams that stand in a reference, shortened captions made to pay.

    Counts are summed over the pictures before anything is divided, the closest reference gives the
    length, and nothing is smoothed, as in coco-caption.

    Source: Papineni et al., "BLEU: a Method for Automatic Evaluation of Machine Translation", ACL 2002.
    """

    name = "bleu"
    needs: ClassVar[frozenset[Need]] = frozenset({"references"})

    def scores(self, corpus: Corpus) -> Sequence[CorpusScore]:
        statistics = bleu_statistics(corpus)
        by_caption = bleu_of(statistics)
        return [
            CorpusScore(
                name=f"BLEU-{order + 1}",
                meaning=f"N-grams of up to {order + 1} words that stand in a reference.",
                by_caption=by_caption[:, order],
                statistics=statistics,
                total=lambda sums, order=order: bleu_of(sums)[:, order],  # type: ignore[misc]
            )
            for order in range(4)
        ]


def bleu_statistics(corpus: Corpus) -> np.ndarray:
    """For each caption: n-grams found (4), n-grams (4), tokens, and tokens of the closest reference."""
    import numpy as np

    size = len(corpus)
    result = np.zeros((size, 10))
    lengths = corpus.lengths[:size]
    result[:, 8] = lengths
    result[:, 9] = _closest_lengths(corpus)
    for order, grams in enumerate(corpus.ngrams):
        result[:, 4 + order] = np.maximum(lengths - order, 0)
        split = np.searchsorted(grams.text, size)
        wanted = grams.text[:split] * grams.distinct + grams.gram[:split]
        known = corpus.owner[grams.text[split:]] * grams.distinct + grams.gram[split:]
        counts = grams.count[split:]
        at = np.searchsorted(wanted, known)
        at[at == len(wanted)] = 0
        hit = wanted[at] == known if len(wanted) else np.zeros(len(known), bool)
        most = np.zeros(len(wanted), np.int64)
        np.maximum.at(most, at[hit], counts[hit])
        clipped = np.minimum(most, grams.count[:split])
        result[:, order] = np.bincount(grams.text[:split], weights=clipped, minlength=size)
    return result


def _closest_lengths(corpus: Corpus) -> np.ndarray:
    """Tokens of the reference whose length is nearest to the caption's, the shorter of two; 0 without any."""
    import numpy as np

    size = len(corpus)
    owner, references = corpus.owner[size:], corpus.lengths[size:]
    distance = np.abs(references - corpus.lengths[owner])
    order = np.lexsort((references, distance, owner))
    first = np.unique(owner[order], return_index=True)[1] if len(order) else np.empty(0, np.int64)
    closest = np.zeros(size)
    closest[owner[order][first]] = references[order][first]
    return closest


def bleu_of(statistics: np.ndarray) -> np.ndarray:
    """BLEU 1 to 4 for each row of ``bleu_statistics``, or of sums of them."""
    import numpy as np

    found, total, tokens, closest = (
        statistics[:, :4],
        statistics[:, 4:8],
        statistics[:, 8],
        statistics[:, 9],
    )
    precision = (found + _TINY) / (total + _SMALL)
    product = np.cumprod(precision, axis=1) ** (1 / np.arange(1, 5))
    ratio = (tokens + _TINY) / (closest + _SMALL)
    with np.errstate(over="ignore"):
        penalty = np.where(ratio < 1, np.exp(1 - 1 / np.minimum(ratio, 1)), 1.0)
    return product * penalty[:, None]
