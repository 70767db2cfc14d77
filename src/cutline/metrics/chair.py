"""CHAIR: objects that captions mention and pictures do not show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Final

from cutline.interfaces import CorpusMetric, Need
from cutline.text.corpus import Corpus, CorpusScore, ObjectLists, ratio

_ENDINGS: Final = (("ies", "y"), ("ves", "f"), ("men", "man"), ("es", ""), ("s", ""))


class Chair(CorpusMetric):
    """CHAIR-i is the share of mentioned objects that the picture does not show, CHAIR-s that of captions
    with one.

    Every mention counts. A picture shows what its list has, and what its references mention. A word
    stands for an object in the plural too; of names within names, as "dog" in "hot dog", the longest
    counts.

    Source: Rohrbach et al., "Object Hallucination in Image Captioning", EMNLP 2018.
    """

    name = "chair"
    needs: ClassVar[frozenset[Need]] = frozenset({"objects"})

    def __init__(self, *, objects: ObjectLists) -> None:
        self._pictures = objects.pictures
        self._names = _names(objects.words)
        self._longest = max(map(len, self._names), default=0)

    def scores(self, corpus: Corpus) -> Sequence[CorpusScore]:
        import numpy as np

        statistics = np.full(
            (len(corpus), 4), np.nan
        )  # invented, mentions, captions with an invented one, captions
        for caption, key in enumerate(corpus.keys):
            shown = set(self._pictures.get(key, ()))
            for reference in corpus.references_of(caption):
                shown.update(self._mentions(corpus.tokens(reference)))
            if key in self._pictures or shown:
                mentioned = list(self._mentions(corpus.tokens(caption)))
                invented = sum(name not in shown for name in mentioned)
                statistics[caption] = (invented, len(mentioned), invented > 0, 1)
        known = np.nan_to_num(statistics)
        by_mention = np.full(len(corpus), np.nan)
        np.divide(statistics[:, 0], statistics[:, 1], out=by_mention, where=known[:, 1] > 0)
        by_mention[(known[:, 3] > 0) & (known[:, 1] == 0)] = 0.0
        reason = "" if known[:, 1].any() else "no caption mentions an object of the list"
        parts = (
            ("CHAIR-i", "Mentioned objects", by_mention, 0),
            ("CHAIR-s", "Captions with objects", statistics[:, 2], 2),
        )
        return [
            CorpusScore(
                name=name,
                meaning=f"{what} that the picture does not show.",
                by_caption=values,
                statistics=known[:, column : column + 2],
                total=ratio,
                reason=reason,
                higher_is_better=False,
            )
            for name, what, values, column in parts
        ]

    def _mentions(self, tokens: Sequence[str]) -> Iterable[str]:
        """The objects that a text mentions, each as often as it does."""
        place = 0
        while place < len(tokens):
            for length in range(min(self._longest, len(tokens) - place), 0, -1):
                found = self._object(tokens[place : place + length])
                if found is not None:
                    yield found
                    place += length
                    break
            else:
                place += 1

    def _object(self, words: Sequence[str]) -> str | None:
        *before, last = words
        return next(
            (self._names[key] for one in _singular(last) if (key := (*before, one)) in self._names), None
        )


def _names(words: Mapping[str, Sequence[str]]) -> dict[tuple[str, ...], str]:
    """The object of each name, which is a tuple of words."""
    return {
        tuple(name.lower().replace("_", " ").split()): one
        for one, names in words.items()
        for name in (one, *names)
        if name.strip()
    }


def _singular(word: str) -> Iterable[str]:
    """The word, and what it may be the plural of."""
    yield word
    for ending, instead in _ENDINGS:
        if word.endswith(ending):
            yield word[: -len(ending)] + instead
