"""Whether texts are in English, as far as their letters and most common words tell."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import regex

from cutline.analysis.stop_words import languages, stop_words

_WORD: Final = regex.compile(r"[\p{L}\p{M}'\N{RIGHT SINGLE QUOTATION MARK}]+")
_LETTERS: Final = regex.compile(r"\p{L}+")
_LATIN: Final = regex.compile(r"\p{Script=Latin}+")


def count_other_languages(texts: Iterable[str]) -> int:
    """How many texts are probably not in English: most letters are of another script, or more of their words
    are stop words of another language than of English.

    Texts without such words, such as tags, count as English.
    """
    english = stop_words(["en"])
    others = [stop_words([name]) - english for name in languages() if name != "en"]
    return sum(_is_other(text, english, others) for text in texts)


def _is_other(text: str, english: frozenset[str], others: list[frozenset[str]]) -> bool:
    letters = sum(map(len, _LETTERS.findall(text)))
    if sum(map(len, _LATIN.findall(text))) < letters / 2:
        return True
    words = [word.lower() for word in _WORD.findall(text)]
    of_english = sum(word in english for word in words)
    return max(sum(word in other for word in words) for other in others) > of_english
