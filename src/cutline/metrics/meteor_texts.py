"""Texts as METEOR's aligner takes them: words as numbers, and which words and phrases stand for which."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from cutline.metrics import meteor_data
from cutline.metrics.meteor_aligner import Text, Vocabulary
from cutline.metrics.meteor_normalizer import meteor_words
from cutline.text.corpus import Corpus

if TYPE_CHECKING:
    import numpy as np


class MeteorTexts:
    """Some captions of a corpus and their references, by their numbers; ``stem`` gives the stem of a word.

    Raises:
        MissingExtra: the extra ``metrics`` is not installed.
    """

    def __init__(self, corpus: Corpus, captions: range, stem: Callable[[str], str]) -> None:
        references = itertools.chain.from_iterable(map(corpus.references_of, captions))
        numbers = [*captions, *references]
        abbreviations = meteor_data.abbreviations()
        words = [meteor_words(" ".join(corpus.tokens(number)), abbreviations) for number in numbers]
        spelling = list(dict.fromkeys(itertools.chain.from_iterable(words)))
        place = {word: at for at, word in enumerate(spelling)}
        ids = [[place[word] for word in found] for found in words]
        self.vocabulary = _vocabulary(spelling, stem)
        phrases, paraphrases = _phrases(spelling, ids)
        self._texts = {
            number: Text(found, _places(found), phrases.get(at, {}), paraphrases.get(at, ()))
            for at, (number, found) in enumerate(zip(numbers, ids, strict=True))
        }

    def __getitem__(self, number: int) -> Text:
        return self._texts[number]


def _vocabulary(spelling: Sequence[str], stem: Callable[[str], str]) -> Vocabulary:
    synonyms, functions = meteor_data.synonyms(), meteor_data.function_words()
    return Vocabulary(
        same_stem=_mates([(stem(word),) for word in spelling]),
        synonyms=_mates([synonyms.sets(word) for word in spelling]),
        is_function=[word in functions for word in spelling],
    )


def _mates(keys: Sequence[Iterable[Any]]) -> list[frozenset[int]]:
    """For each word the others that share a key with it."""
    words: dict[Any, list[int]] = collections.defaultdict(list)
    for word, several in enumerate(keys):
        for key in several:
            words[key].append(word)
    shared = {key: frozenset(found) for key, found in words.items() if len(found) > 1}
    nothing: frozenset[int] = frozenset()
    return [
        nothing.union(*(shared[key] for key in several if key in shared)) - {word}
        for word, several in enumerate(keys)
    ]


def _places(words: Sequence[int]) -> dict[int, list[int]]:
    places: dict[int, list[int]] = {}
    for place, word in enumerate(words):
        places.setdefault(word, []).append(place)
    return places


_Phrases = dict[int, dict[int, list[int]]]
_Paraphrases = dict[int, list[tuple[int, int, int, int]]]


def _phrases(spelling: Sequence[str], ids: Sequence[Sequence[int]]) -> tuple[_Phrases, _Paraphrases]:
    """For each text the positions of the phrases that stand for one of another text, and what stands for
    its own.

    Phrases are numbered over all texts; those that no text has anything for are left out.
    """
    import numpy as np

    text, place, length, hashes = _spans(spelling, ids)
    unique, first, phrase = np.unique(hashes, return_index=True, return_inverse=True)
    owners, others = meteor_data.paraphrases().among(unique)
    sizes = length[first].tolist()
    related: dict[int, list[int]] = {}
    for owner, other in zip(owners.tolist(), others.tolist(), strict=True):
        related.setdefault(owner, []).append(other)
    phrases: _Phrases = {}
    for at, start, number in _chosen(np.isin(phrase, others), text, place, phrase):
        phrases.setdefault(at, {}).setdefault(number, []).append(start)
    paraphrases: _Paraphrases = {}
    for at, start, number in _chosen(np.isin(phrase, owners), text, place, phrase):
        found = paraphrases.setdefault(at, [])
        found += [(start, sizes[number], other, sizes[other]) for other in related[number]]
    return phrases, paraphrases


def _chosen(chosen: np.ndarray, *columns: np.ndarray) -> Iterable[tuple[int, ...]]:
    """The rows of some columns where ``chosen``."""
    return zip(*(column[chosen].tolist() for column in columns), strict=True)


def _spans(
    spelling: Sequence[str], ids: Sequence[Sequence[int]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Text, first word, number of words and hash of every phrase, by text, place, then length."""
    import numpy as np

    lines = "".join(f"{word}\n" for word in spelling).encode(errors="replace")
    sums, sizes = meteor_data.line_sums(lines)
    counts = np.fromiter(map(len, ids), np.int64, len(ids))
    words = np.fromiter(itertools.chain.from_iterable(ids), np.int64, int(counts.sum()))
    text = np.repeat(np.arange(len(ids)), counts)
    place = np.arange(len(words)) - np.repeat(np.cumsum(counts) - counts, counts)
    left = np.repeat(counts, counts) - place
    at = np.arange(len(words))
    found, found_sizes = sums[words], sizes[words]
    parts = [(text, place, np.ones_like(at), meteor_data.mixed(found))]
    for length in range(2, meteor_data.LONGEST_PHRASE + 1):
        kept = left[at] >= length
        at = at[kept]
        more = words[at + length - 1]
        found, found_sizes = meteor_data.joined_sums(found[kept], found_sizes[kept], sums[more], sizes[more])
        parts.append((text[at], place[at], np.full_like(at, length), meteor_data.mixed(found)))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.lexsort((columns[2], columns[1], columns[0]))
    text, place, lengths, hashes = (column[order] for column in columns)
    return text, place, lengths, hashes
