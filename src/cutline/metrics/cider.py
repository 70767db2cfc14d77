"""CIDEr-D."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from cutline.interfaces import CorpusMetric, Need
from cutline.text.corpus import Corpus, CorpusScore, NGrams, mean_score

if TYPE_CHECKING:
    import numpy as np

_SIGMA: Final = 6.0  # of the penalty for another length, in tokens


class CiderD(CorpusMetric):
    """Cosine of the n-grams of caption and references, the rare ones weighted more; up to 10.

    How rare an n-gram is comes from the references of the same run, as in coco-caption ("corpus" mode):
    with one picture all weights are 0, so there is no score.

    Source: Vedantam et al., "CIDEr: Consensus-based Image Description Evaluation", CVPR 2015.
    """

    name = "cider-d"
    needs: ClassVar[frozenset[Need]] = frozenset({"references"})

    def scores(self, corpus: Corpus) -> Sequence[CorpusScore]:
        import numpy as np

        one = len(corpus) == 1
        values = np.full(1, np.nan) if one else cider_values(corpus)
        reason = "needs two pictures at least: an n-gram is rare among others" if one else ""
        return [
            mean_score(
                "CIDEr-D",
                "N-grams that caption and references share, the rare ones weighted more.",
                values,
                reason=reason,
            )
        ]


def cider_values(corpus: Corpus) -> np.ndarray:
    """CIDEr-D of each caption."""
    import numpy as np

    size = len(corpus)
    owner = corpus.owner[size:]
    # coco-caption takes the number of bigrams for the length.
    lengths = np.maximum(corpus.lengths - 1, 0)
    penalty = np.exp(-((lengths[owner] - lengths[size:]) ** 2) / (2 * _SIGMA**2))
    pairs = sum((_cosines(corpus, grams) for grams in corpus.ngrams), start=np.zeros(len(owner)))
    totals = np.bincount(owner, weights=pairs * penalty, minlength=size)
    result: np.ndarray = 10 * totals / 4 / np.maximum(corpus.reference_counts, 1)
    return result


def _cosines(corpus: Corpus, grams: NGrams) -> np.ndarray:
    """For each reference the clipped cosine of its n-grams with those of its caption."""
    import numpy as np

    size, texts = len(corpus), len(corpus.lengths)
    split = np.searchsorted(grams.text, size)
    known = corpus.owner[grams.text[split:]] * grams.distinct + grams.gram[split:]
    ordered = np.sort(known)  # many times as fast as np.unique
    ordered = ordered[np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]]
    pictures = np.bincount(ordered % grams.distinct, minlength=grams.distinct)
    rarity = math.log(max(size, 1)) - np.log(np.maximum(pictures, 1))
    weight = grams.count * rarity[grams.gram]
    norm = np.sqrt(np.bincount(grams.text, weights=weight**2, minlength=texts))
    wanted = grams.text[:split] * grams.distinct + grams.gram[:split]
    at = np.searchsorted(wanted, known)
    at[at == len(wanted)] = 0
    hit = wanted[at] == known if len(wanted) else np.zeros(len(known), bool)
    theirs = weight[split:][hit]
    shared = np.minimum(weight[:split][at[hit]], theirs) * theirs
    found = grams.text[split:][hit] - size
    sums = np.bincount(found, weights=shared, minlength=texts - size).astype(float)
    scale = norm[size:] * norm[corpus.owner[size:]]
    result: np.ndarray = np.divide(sums, scale, out=sums, where=scale > 0)
    return result
