"""METEOR 1.5."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from cutline.errors import MissingExtra
from cutline.interfaces import CorpusMetric
from cutline.metrics import meteor_data
from cutline.metrics.meteor_aligner import WEIGHTS, Match, Text, align
from cutline.metrics.meteor_normalizer import meteor_words
from cutline.text.corpus import Corpus, CorpusScore

if TYPE_CHECKING:
    import numpy as np

_ALPHA: Final = 0.85  # weight of recall
_BETA: Final = 0.2
_GAMMA: Final = 0.6
_DELTA: Final = 0.75  # weight of content words, against function words
_BLOCK: Final = 5_000  # captions whose texts are in memory at a time


class Meteor(CorpusMetric):
    """Words, stems, synonyms and paraphrases shared with the best reference, less for scattered ones.

    The numbers are those of METEOR 1.5 for English with ``-norm``, as coco-caption calls it: recall weighs more,
    and the score of all captions comes from their summed statistics.

    Source: Denkowski and Lavie, "Meteor Universal: Language Specific Translation Evaluation for Any Target
    Language", WMT 2014.
    """

    name = "meteor"
    needs_references = True

    def scores(self, corpus: Corpus) -> Sequence[CorpusScore]:
        statistics = meteor_statistics(corpus)
        meaning = "Words, stems, synonyms and paraphrases that the best reference has too."
        return [
            CorpusScore(
                name="METEOR",
                meaning=meaning,
                by_caption=meteor_of(statistics),
                statistics=statistics,
                total=meteor_of,
            )
        ]


def meteor_statistics(corpus: Corpus) -> np.ndarray:
    """For each caption, with the reference of the highest score: see ``_statistics``.

    Raises:
        MissingExtra: the extra ``metrics`` is not installed.
    """
    import numpy as np

    stem = _stemmer()
    result = np.zeros((len(corpus), 9))
    for start in range(0, len(corpus), _BLOCK):
        captions = range(start, min(start + _BLOCK, len(corpus)))
        texts = _Texts(corpus, captions, stem)
        rows: list[list[float]] = []
        owners: list[int] = []
        for caption in captions:
            ours = texts[caption]
            for reference in corpus.references_of(caption):
                theirs = texts[reference]
                rows.append(_statistics(ours, theirs, *align(ours, theirs)))
                owners.append(caption)
        table = np.array(rows).reshape(-1, 9)
        owner = np.array(owners, np.int64)
        order = np.lexsort((np.arange(len(owner)), -meteor_of(table), owner))
        kept, first = np.unique(owner[order], return_index=True)
        result[kept] = table[order][first]
    return result


def _stemmer() -> Callable[[str], str]:
    try:
        import snowballstemmer
    except ImportError:
        raise MissingExtra("METEOR", "metrics") from None
    stem: Callable[[str], str] = snowballstemmer.stemmer("english").stemWord
    return stem


class _Texts:
    """The texts of some captions and of their references, as the aligner takes them."""

    def __init__(self, corpus: Corpus, captions: range, stem: Callable[[str], str]) -> None:
        self._paraphrases = meteor_data.paraphrases()
        self._abbreviations = meteor_data.abbreviations()
        references = itertools.chain.from_iterable(map(corpus.references_of, captions))
        numbers = [*captions, *references]
        words = {number: self._words(corpus, number) for number in numbers}
        vocabulary = {
            word: place for place, word in enumerate(dict.fromkeys(itertools.chain(*words.values())))
        }
        stems = [hash(stem(word)) for word in vocabulary]
        synonyms = meteor_data.synonyms()
        synsets = [synonyms.sets(word) for word in vocabulary]
        functions = [word in meteor_data.function_words() for word in vocabulary]
        phrases: dict[tuple[int, ...], int] = {}
        spans: dict[int, dict[int, list[int]]] = {}
        ids = {number: [vocabulary[word] for word in found] for number, found in words.items()}
        for number, found in ids.items():
            spans[number] = _spans(found, phrases)
        spelling = list(vocabulary)
        related = self._paraphrases.among([" ".join(map(spelling.__getitem__, phrase)) for phrase in phrases])
        sizes = list(map(len, phrases))
        self._texts = {
            number: Text(
                words=found,
                stems=[stems[word] for word in found],
                synsets=[synsets[word] for word in found],
                is_function=[functions[word] for word in found],
                places=_places(found),
                stem_places=_places([stems[word] for word in found]),
                synset_places=_synset_places([synsets[word] for word in found]),
                phrases=spans[number],
                paraphrases=_paraphrases(spans[number], related, sizes),
            )
            for number, found in ids.items()
        }

    def _words(self, corpus: Corpus, number: int) -> list[str]:
        return meteor_words(" ".join(corpus.tokens(number)), self._abbreviations)

    def __getitem__(self, number: int) -> Text:
        return self._texts[number]


def _spans(words: Sequence[int], phrases: dict[tuple[int, ...], int]) -> dict[int, list[int]]:
    """The positions of each phrase of a text, numbered in ``phrases``, to which new ones are added."""
    found: dict[int, list[int]] = {}
    size = len(words)
    for start in range(size):
        for end in range(start + 1, min(start + meteor_data.LONGEST_PHRASE, size) + 1):
            number = phrases.setdefault(tuple(words[start:end]), len(phrases))
            found.setdefault(number, []).append(start)
    return found


def _places(keys: Sequence[int]) -> dict[int, list[int]]:
    places: dict[int, list[int]] = {}
    for place, key in enumerate(keys):
        places.setdefault(key, []).append(place)
    return places


def _synset_places(synsets: Sequence[frozenset[int]]) -> dict[int, list[int]]:
    places: dict[int, list[int]] = {}
    for place, several in enumerate(synsets):
        for one in several:
            places.setdefault(one, []).append(place)
    return places


def _paraphrases(
    spans: dict[int, list[int]], related: dict[int, list[int]], sizes: Sequence[int]
) -> list[tuple[int, int, int, int]]:
    """What stands for the phrases of a text, by their first word, then by their length."""
    found = [
        (place, sizes[phrase], other, sizes[other])
        for phrase in spans.keys() & related.keys()
        for place in spans[phrase]
        for other in related[phrase]
    ]
    found.sort(key=lambda one: one[:2])
    return found


def _statistics(caption: Text, reference: Text, matches: Sequence[Match], chunks: int) -> list[float]:
    """Weighted matches and lengths, of caption and reference, then matched words, words, and chunks."""
    ours = theirs = 0.0
    matched = matched_there = 0
    for kind, place, length, at, other in matches:
        weight = WEIGHTS[kind]
        for word in range(at, at + other):
            ours += weight * (1 - _DELTA if caption.is_function[word] else _DELTA)
        for word in range(place, place + length):
            theirs += weight * (1 - _DELTA if reference.is_function[word] else _DELTA)
        matched += other
        matched_there += length
    size, size_there = len(caption.words), len(reference.words)
    return [
        ours,
        theirs,
        _weighted_length(caption),
        _weighted_length(reference),
        matched,
        matched_there,
        size,
        size_there,
        chunks,
    ]


def _weighted_length(text: Text) -> float:
    functions = sum(text.is_function)
    return _DELTA * (len(text.words) - functions) + (1 - _DELTA) * functions


def meteor_of(statistics: np.ndarray) -> np.ndarray:
    """METEOR for each row of statistics, or of sums of them."""
    import numpy as np

    ours, theirs, length, length_there, matched, matched_there, size, size_there, chunks = statistics.T
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = 1 / ((1 - _ALPHA) / (ours / length) + _ALPHA / (theirs / length_there))
        whole = (matched == size) & (matched_there == size_there) & (chunks == 1)
        scattered = np.where(whole, 0.0, chunks / ((matched + matched_there) / 2))
        score = mean * (1 - _GAMMA * scattered**_BETA)
    result: np.ndarray = np.maximum(np.nan_to_num(score, nan=0.0, posinf=0.0, neginf=0.0), 0.0)
    return result
