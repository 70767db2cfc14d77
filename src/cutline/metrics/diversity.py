"""Length of captions, and how much of their wording is different."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from cutline.interfaces import CorpusMetric, Need
from cutline.text.corpus import Corpus, CorpusScore, mean_score, ratio
from cutline.text.repetition import repetition


class Length(CorpusMetric):
    """Tokens of a caption, without punctuation."""

    name = "length"
    needs: ClassVar[frozenset[Need]] = frozenset()

    def scores(self, corpus: Corpus) -> Sequence[CorpusScore]:
        lengths = corpus.lengths[: len(corpus)].astype(float)
        return [mean_score("length", "Words of a caption.", lengths, higher_is_better=None)]


class Distinct(CorpusMetric):
    """Different n-grams of all captions by all their n-grams, for n of 1 and 2.

    The share falls with the number of captions, so it compares outputs for the same pictures only; and a
    picture drawn twice adds nothing new, so it has no interval.

    Source: Li et al., "A Diversity-Promoting Objective Function for Neural Conversation Models", NAACL 2016.
    """

    name = "distinct"
    needs: ClassVar[frozenset[Need]] = frozenset()

    def scores(self, corpus: Corpus) -> Sequence[CorpusScore]:
        return [self._score(corpus, order) for order in (1, 2)]

    def _score(self, corpus: Corpus, order: int) -> CorpusScore:
        import numpy as np

        size = len(corpus)
        grams = corpus.ngrams[order - 1]
        split = np.searchsorted(grams.text, size)
        text, gram = grams.text[:split], grams.gram[:split]
        first = np.unique(gram, return_index=True)[1]
        new = np.bincount(text[first], minlength=size)  # of each caption, what none before has
        total = np.bincount(text, weights=grams.count[:split], minlength=size)
        own = np.bincount(text, minlength=size)
        return CorpusScore(
            name=f"distinct-{order}",
            meaning=f"Different {'words' if order == 1 else 'pairs of words'} by all of the captions.",
            by_caption=np.divide(own, total, out=np.full(size, np.nan), where=total > 0),
            statistics=np.column_stack([new, total]).astype(float),
            total=ratio,
            higher_is_better=None,
            drawn=False,
        )


class Repetition(CorpusMetric):
    """Share of a caption's words that lie in a phrase of five words which it had before."""

    name = "repetition"
    needs: ClassVar[frozenset[Need]] = frozenset()

    def scores(self, corpus: Corpus) -> Sequence[CorpusScore]:
        import numpy as np

        shares = np.fromiter(map(repetition, corpus.captions), float, len(corpus))
        meaning = "Words in a phrase of five words that the caption had before."
        return [mean_score("repetition", meaning, shares, higher_is_better=False)]
