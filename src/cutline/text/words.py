"""What a word is, in scripts with and without blanks."""

from __future__ import annotations

import unicodedata
from typing import Final

import regex

SPACELESS: Final = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
"""Scripts that put no blanks between words, within the brackets of a pattern."""

_SPACED: Final = rf"(?![{SPACELESS}])\w"  # a letter, digit or mark of other scripts
_EDGE: Final = regex.compile(_SPACED)


def whole_words(pattern: str, text: str | None = None, *, is_prefix: bool = False) -> str:
    """``pattern``, of the module ``regex``, where it neither begins nor ends within a word.

    ``text``: what the pattern matches, if that is one text. In scripts without blanks every place between
    two characters may be the end of a word. ``is_prefix``: the word may continue behind it.
    """
    left = f"(?<!{_SPACED})" if text is None or _EDGE.match(text) else ""
    right = f"(?!{_SPACED})" if not is_prefix and (text is None or _EDGE.match(text[-1:])) else ""
    return f"{left}(?:{pattern}){right}"


def spellings(text: str) -> tuple[str, ...]:
    """``text``, and how else Unicode can write it: accents as parts of letters, or behind them."""
    if text.isascii():
        return (text,)
    return tuple(dict.fromkeys((text, *(unicodedata.normalize(form, text) for form in ("NFC", "NFD")))))
