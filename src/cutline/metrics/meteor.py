"""METEOR 1.5."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from cutline.errors import MissingExtra
from cutline.interfaces import CorpusMetric, Need, Say, silent
from cutline.metrics import meteor_data
from cutline.metrics.meteor_aligner import WEIGHTS, Text, Vocabulary, align
from cutline.metrics.meteor_texts import MeteorTexts
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

    The numbers are those of METEOR 1.5 for English with ``-norm``, as coco-caption calls it: recall
    weighs more, and the score of all captions comes from their summed statistics.

    Source: Denkowski and Lavie, "Meteor Universal: Language Specific Translation Evaluation for Any Target
    Language", WMT 2014.
    """

    name = "meteor"
    needs: ClassVar[frozenset[Need]] = frozenset({"references"})

    def __init__(self) -> None:
        self._say: Say = silent

    def open(self, say: Say) -> None:
        """Index the paraphrases, where that was never done; raises MissingExtra."""
        self._say = say
        _stemmer()
        is_new = not meteor_data.is_indexed()
        if is_new:
            say("indexing METEOR's paraphrases, once")
        meteor_data.paraphrases()
        if is_new and not (file := meteor_data.index_file()).exists():
            say(f"{file.parent} cannot be written: the index is made again by the next command")

    def scores(self, corpus: Corpus) -> Sequence[CorpusScore]:
        statistics = meteor_statistics(corpus, self._say)
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


def meteor_statistics(corpus: Corpus, say: Say = silent) -> np.ndarray:
    """For each caption, with the reference of the highest score: see ``_statistics``.

    Raises:
        MissingExtra: the extra ``metrics`` is not installed.
    """
    import numpy as np

    stem = _stemmer()
    result = np.zeros((len(corpus), 9))
    for start in range(0, len(corpus), _BLOCK):
        if start:
            say(f"METEOR: {start:,} of {len(corpus):,} captions")
        captions = range(start, min(start + _BLOCK, len(corpus)))
        texts = MeteorTexts(corpus, captions, stem)
        rows: list[tuple[float, ...]] = []
        owners: list[int] = []
        for caption in captions:
            ours = texts[caption]
            for reference in corpus.references_of(caption):
                theirs = texts[reference]
                rows.append(_statistics(texts.vocabulary, ours, theirs))
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


def _statistics(vocabulary: Vocabulary, caption: Text, reference: Text) -> tuple[float, ...]:
    """Weighted matches and lengths, of caption and reference, then matched words, words, and chunks."""
    matches, chunks = align(vocabulary, caption, reference)
    ours, theirs = _weights(vocabulary, caption), _weights(vocabulary, reference)
    found = found_there = 0.0
    matched = matched_there = 0
    for kind, place, length, at, other in matches:
        weight = WEIGHTS[kind]
        found += weight * (ours[at] if other == 1 else sum(ours[at : at + other]))
        found_there += weight * (theirs[place] if length == 1 else sum(theirs[place : place + length]))
        matched += other
        matched_there += length
    lengths = sum(ours), sum(theirs)
    return (found, found_there, *lengths, matched, matched_there, len(ours), len(theirs), chunks)


def _weights(vocabulary: Vocabulary, text: Text) -> list[float]:
    is_function = vocabulary.is_function
    return [1 - _DELTA if is_function[word] else _DELTA for word in text.words]


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
