"""Captions in words, as numbers of a vocabulary."""

from __future__ import annotations

import itertools
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import regex

from cutline.text.words import SPACELESS

BREAK: Final = 0
"""The number that stands between two sentences or clauses, which no phrase crosses."""

_BREAK_SIGN: Final = "\x1f"
_BREAKS: Final = r'[.,;:!?…()\[\]{}"“”«»。！？、，；：\n\r\x1f]+'  # noqa: RUF001 - of other scripts
_BETWEEN_WORDS: Final = r"[^\pL\pN\pM'\x{2019}\x1f-]+"
_EDGES: Final = "'\u2019-"

# Scripts that put no blanks between words are taken in pairs of characters.
_RUN: Final = regex.compile(rf"(?:[{SPACELESS}ー]\p{{M}}*)+")
_CHARACTER: Final = regex.compile(r"\X")
_HAS_SPACELESS: Final = f"[{SPACELESS}]"


class Vocabulary:
    """Terms and their numbers, in the order of their first occurrence. ``terms[BREAK]`` is empty."""

    def __init__(self) -> None:
        self.terms: list[str] = [""]
        self._numbers: dict[str, int] = {}
        self._of_words: dict[str, int] = {_BREAK_SIGN: BREAK}

    def __len__(self) -> int:
        return len(self.terms)

    def get(self, term: str) -> int | None:
        return self._numbers.get(term)

    def number(self, word: str) -> int:
        """That of a word as it was cut out; -1 where only signs are left of it."""
        found = self._of_words.get(word)
        if found is None:
            term = word.strip(_EDGES)
            found = -1 if not term else self._numbers.setdefault(term, len(self.terms))
            if found == len(self.terms):
                self.terms.append(term)
            self._of_words[word] = found
        return found


def tokenize(
    captions: pa.Array, vocabulary: Vocabulary
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """The numbers of all words in lower case, one caption after another, and the words of each caption."""
    texts = pc.fill_null(captions, "")
    if not pc.all(pc.string_is_ascii(texts)).as_py():
        texts = _spaced(pc.utf8_normalize(texts, form="NFC"))
    texts = pc.replace_substring_regex(pc.utf8_lower(texts), _BREAKS, f" {_BREAK_SIGN} ")
    lists = pc.split_pattern_regex(texts, _BETWEEN_WORDS)
    words = lists.flatten().dictionary_encode()
    known = np.array(
        [vocabulary.number(word) if word else -1 for word in words.dictionary.to_pylist()], np.int32
    )
    numbers = known[words.indices.to_numpy()] if len(known) else np.empty(0, np.int32)
    rows = np.repeat(np.arange(len(lists)), pc.list_value_length(lists).to_numpy())
    is_word = numbers >= 0
    lengths = np.bincount(rows[is_word], minlength=len(lists)).astype(np.int32)
    return numbers[is_word], lengths


def joined(phrase: str, term: str) -> str:
    """A phrase with the term behind it, as captions have them: pairs of characters overlap."""
    first, *rest = _CHARACTER.findall(term)
    if rest and phrase.endswith(first) and _RUN.fullmatch(term) and _RUN.fullmatch(phrase[-len(first) :]):
        return phrase + "".join(rest)
    return f"{phrase} {term}"


def _spaced(texts: pa.Array) -> pa.Array:
    """With blanks between the pairs of characters of scripts that have none."""
    found = np.flatnonzero(pc.match_substring_regex(texts, _HAS_SPACELESS).to_numpy(zero_copy_only=False))
    if not len(found):
        return texts
    mask = np.zeros(len(texts), dtype=bool)
    mask[found] = True
    changed = [_RUN.sub(_pairs, text) for text in texts.take(pa.array(found)).to_pylist()]
    return pc.replace_with_mask(texts, pa.array(mask), pa.array(changed, pa.string()))


def _pairs(run: regex.Match[str]) -> str:
    characters = _CHARACTER.findall(run[0])
    if len(characters) == 1:
        return f" {run[0]} "
    pairs = (first + second for first, second in itertools.pairwise(characters))
    return f" {' '.join(pairs)} "
