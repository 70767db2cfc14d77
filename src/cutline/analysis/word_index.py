"""The words and phrases of all captions as numbers, from which those of any selection are counted."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cutline.analysis.tokenizer import BREAK, Vocabulary, joined, tokenize

LONGEST: Final = 3  # words of a phrase

Numbers = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Counts = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Occurrences:
    """Where terms occur: ``numbers[i]`` in row ``rows[i]``; ``pairs`` are the same, each once for a row.

    ``all_counts``: how often each term occurs, and in how many rows.
    """

    terms: list[str]
    numbers: Numbers
    rows: Numbers
    pair_numbers: Numbers
    pair_rows: Numbers
    all_counts: Counts

    def count(self, selection: Mask | None = None) -> Counts:
        """How often each term occurs in the selected rows, and in how many of them; in all rows for None."""
        if selection is None:
            return self.all_counts
        if 2 * np.count_nonzero(selection) > len(selection):
            return self.without(self.count(~selection))
        return _counts(
            self.numbers[selection[self.rows]], self.pair_numbers[selection[self.pair_rows]], self.terms
        )

    def without(self, counts: Counts) -> Counts:
        """The counts of all other rows."""
        (occurrences, rows), (here, here_rows) = self.all_counts, counts
        return occurrences - here, rows - here_rows


class WordIndex:
    """Words and phrases of captions. Built block by block; after an edit only the blocks that changed are.

    Not for several threads at once.
    """

    def __init__(self) -> None:
        self._vocabulary = Vocabulary()
        self._blocks: list[pa.Array] = []
        self._tokens: list[tuple[Numbers, Numbers]] = []
        self._occurrences: dict[int, Occurrences] = {}
        self.rows = 0
        self.filled: Mask = np.empty(0, bool)
        """The rows that have any words."""

    def update(self, captions: pa.ChunkedArray) -> None:
        """Take over the captions of all rows, null for none."""
        blocks = captions.chunks
        changed = len(blocks) != len(self._blocks)
        del self._blocks[len(blocks) :], self._tokens[len(blocks) :]
        for place, block in enumerate(blocks):
            known = self._blocks[place] if place < len(self._blocks) else None
            if known is not None and (block is known or block.equals(known)):
                continue
            changed = True
            self._blocks[place : place + 1] = [block]
            self._tokens[place : place + 1] = [tokenize(block, self._vocabulary)]
        if changed:
            self._occurrences.clear()
            self.rows = len(captions)
            lengths = [lengths for _, lengths in self._tokens]
            self.filled = np.concatenate(lengths or [np.empty(0, np.int32)]) > 0

    def occurrences(self, words: int = 1) -> Occurrences:
        """Those of single words, or of phrases of two or three words that occur twice or more."""
        if words not in self._occurrences:
            self._occurrences[words] = self._words() if words == 1 else self._phrases(words)
        return self._occurrences[words]

    def count_pairs(self, pairs: Sequence[tuple[int, int]]) -> dict[tuple[int, int], tuple[int, int]]:
        """How often a word follows another one, and in how many rows, for those pairs that occur."""
        numbers, rows = self._tokens_with_rows()
        size = len(self._vocabulary)
        wanted = np.unique(np.array([first * size + second for first, second in pairs], np.int64))
        keys = numbers[:-1].astype(np.int64) * size + numbers[1:]
        found = np.flatnonzero((rows[:-1] == rows[1:]) & np.isin(keys, wanted))
        places = np.searchsorted(wanted, keys[found])
        times = np.bincount(places, minlength=len(wanted))
        captions = np.bincount(np.unique(np.stack([places, rows[found]]), axis=1)[0], minlength=len(wanted))
        return {
            divmod(int(wanted[place]), size): (int(times[place]), int(captions[place]))
            for place in np.flatnonzero(times)
        }

    def _tokens_with_rows(self) -> tuple[Numbers, Numbers]:
        numbers = np.concatenate([numbers for numbers, _ in self._tokens] or [np.empty(0, np.int32)])
        lengths = np.concatenate([lengths for _, lengths in self._tokens] or [np.empty(0, np.int32)])
        return numbers, np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)

    def _words(self) -> Occurrences:
        numbers, rows = self._tokens_with_rows()
        is_word = numbers != BREAK
        return _occurrences(self._vocabulary.terms, numbers[is_word], rows[is_word])

    def _phrases(self, words: int) -> Occurrences:
        numbers, rows = self._tokens_with_rows()
        size = len(self._vocabulary)
        count = max(0, len(numbers) - words + 1)
        keys = np.zeros(count, np.int64)
        whole = rows[:count] == rows[words - 1 :] if count else np.empty(0, bool)
        for place in range(words):
            part = numbers[place : place + count]
            # Three numbers fit into 63 bits up to two million terms; beyond, the rest share a number.
            keys = keys * size + part
            whole = whole & (part != BREAK)
        found, rows = keys[whole], rows[:count][whole]
        encoded = pa.array(found).dictionary_encode()  # by a hash table: np.unique sorts, ten times as long
        places, unique = encoded.indices.to_numpy(), encoded.dictionary.to_numpy()
        kept = np.bincount(places, minlength=len(unique)) > 1
        renumbered = np.cumsum(kept, dtype=np.int32) - 1
        is_kept = kept[places]
        terms = [self._phrase(key, words) for key in unique[kept].tolist()]
        return _occurrences(terms, renumbered[places[is_kept]], rows[is_kept])

    def _phrase(self, key: int, words: int) -> str:
        parts = []
        for _ in range(words):
            key, number = divmod(key, len(self._vocabulary))
            parts.append(self._vocabulary.terms[number])
        return functools.reduce(joined, reversed(parts))


def _occurrences(terms: list[str], numbers: Numbers, rows: Numbers) -> Occurrences:
    keys = np.sort(rows.astype(np.int64) * max(1, len(terms)) + numbers)
    keys = keys[np.concatenate([keys[:1] == keys[:1], keys[1:] != keys[:-1]])]
    pair_rows, pair_numbers = np.divmod(keys, max(1, len(terms)))
    return Occurrences(
        terms=list(terms),
        numbers=numbers,
        rows=rows,
        pair_numbers=pair_numbers.astype(np.int32),
        pair_rows=pair_rows.astype(np.int32),
        all_counts=_counts(numbers, pair_numbers, terms),
    )


def _counts(numbers: npt.NDArray[Any], pair_numbers: npt.NDArray[Any], terms: Sequence[str]) -> Counts:
    return np.bincount(numbers, minlength=len(terms)), np.bincount(pair_numbers, minlength=len(terms))
