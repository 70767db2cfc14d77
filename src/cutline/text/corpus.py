"""Captions with their references as numbers, and the scores of metrics on them."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ObjectLists:
    """``words`` are the names of each object, itself among them, and ``pictures`` what each picture shows.

    Pictures are by the ids of the captions.
    """

    words: Mapping[str, Sequence[str]]
    pictures: Mapping[str, Sequence[str]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ImageFiles:
    """The pictures of captions by their ids, and the CLIP that compares them; ``message`` takes lines."""

    paths: Mapping[str, str]
    model: str
    device: str = "auto"
    message: Callable[[str], None] = lambda _: None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NGrams:
    """How often each n-gram occurs in each text: three columns, ordered by text, then by n-gram.

    ``distinct`` is the number of different n-grams in all texts; they are numbered from 0.
    """

    text: np.ndarray
    gram: np.ndarray
    count: np.ndarray
    distinct: int


class Corpus:
    """Captions, the references of each, and the tokens of both as numbers in ``vocabulary``.

    ``keys`` are the ids of the pictures, where a metric needs them.

    Texts are numbered: first the captions, then the references in the order of their captions.
    """

    def __init__(
        self,
        captions: Sequence[str],
        references: Sequence[Sequence[str]],
        *,
        token_ids: Callable[[str], Sequence[int]],
        vocabulary: Sequence[str],
        keys: Sequence[str] = (),
    ) -> None:
        import numpy as np

        self.captions = captions
        self.keys = keys
        self.references = references
        self.vocabulary = vocabulary
        texts = [*captions, *(text for several in references for text in several)]
        ids = list(map(token_ids, texts))
        self.lengths = np.fromiter(map(len, ids), np.int64, len(ids))
        self.ends = np.cumsum(self.lengths)
        self.words = np.fromiter((word for found in ids for word in found), np.int64, int(self.lengths.sum()))
        counts = np.fromiter(map(len, references), np.int64, len(references))
        self.reference_counts = counts
        self.owner = np.concatenate(
            [np.arange(len(captions)), np.repeat(np.arange(len(captions)), counts)]
        )  # the caption of each text
        self._ids = ids

    def __len__(self) -> int:
        return len(self.captions)

    def ids(self, text: int) -> Sequence[int]:
        """The tokens of a text as numbers."""
        return self._ids[text]

    def tokens(self, text: int) -> list[str]:
        """The tokens of a text."""
        return [self.vocabulary[word] for word in self._ids[text]]

    @functools.cached_property
    def reference_starts(self) -> list[int]:
        """The number of the first reference of each caption, and one beyond the last."""
        starts = [len(self.captions)]
        for count in self.reference_counts.tolist():
            starts.append(starts[-1] + count)
        return starts

    def references_of(self, caption: int) -> range:
        """The numbers of a caption's references."""
        return range(self.reference_starts[caption], self.reference_starts[caption + 1])

    @functools.cached_property
    def ngrams(self) -> tuple[NGrams, NGrams, NGrams, NGrams]:
        """The n-grams of all texts for n from 1 to 4."""
        import numpy as np

        place_text = np.repeat(np.arange(len(self.lengths)), self.lengths)
        left = np.repeat(self.ends, self.lengths) - np.arange(len(self.words))  # tokens to the text's end
        words, size = self.words, max(len(self.vocabulary), 1)
        at, gram, distinct = np.arange(len(words)), words, size
        found = [_counted(place_text, gram, distinct)]
        for length in range(2, 5):
            kept = left[at] >= length
            at = at[kept]
            key = gram[kept] * size + words[at + length - 1]
            numbers, gram = np.unique(key, return_inverse=True)
            distinct = max(len(numbers), 1)
            found.append(_counted(place_text[at], gram, distinct))
        first, second, third, fourth = found
        return first, second, third, fourth


def _counted(text: np.ndarray, gram: np.ndarray, distinct: int) -> NGrams:
    import numpy as np

    key, count = np.unique(text * distinct + gram, return_counts=True)
    return NGrams(text=key // distinct, gram=key % distinct, count=count, distinct=distinct)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CorpusScore:
    """What a metric gives: a number for each caption, and one for all.

    ``statistics`` has a row for each caption; ``total`` makes the number for all from the sums of the
    rows, and takes several such sums at once: so the interval of a figure that is not a mean, as BLEU, is
    found from sums over pictures drawn at random. ``by_caption`` is NaN where a caption has none.
    ``reason``, if not empty, says why there is no number for all. ``drawn`` is False for figures that
    say nothing about drawn pictures.
    """

    name: str
    meaning: str
    by_caption: np.ndarray | None
    statistics: np.ndarray
    total: Callable[[np.ndarray], np.ndarray]
    reason: str = ""
    higher_is_better: bool | None = True
    drawn: bool = True

    @property
    def value(self) -> float | None:
        """The number for all captions; None with a reason."""
        if self.reason or not len(self.statistics):
            return None
        number = float(self.total(self.statistics.sum(axis=0, keepdims=True))[0])
        return number if math.isfinite(number) else None


def mean_score(name: str, meaning: str, values: np.ndarray, **more: str | bool | None) -> CorpusScore:
    """A score whose number for all is the mean over the captions that have one."""
    import numpy as np

    known = np.isfinite(values)
    statistics = np.column_stack([np.where(known, values, 0.0), known.astype(float)])
    return CorpusScore(
        name=name,
        meaning=meaning,
        by_caption=values,
        statistics=statistics,
        total=ratio,
        **more,  # type: ignore[arg-type]
    )


def ratio(sums: np.ndarray) -> np.ndarray:
    """The first column by the second; NaN where that is 0."""
    import numpy as np

    result: np.ndarray = np.full(len(sums), np.nan)
    np.divide(sums[:, 0], sums[:, 1], out=result, where=sums[:, 1] > 0)
    return result
