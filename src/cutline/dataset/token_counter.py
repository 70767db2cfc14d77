"""CLIP's tokens of a caption: image models read 77, of which two mark the start and the end."""

from __future__ import annotations

import bisect
import functools
from collections.abc import Callable
from typing import Final

import regex

_PIECE = regex.compile(r"\p{L}+|\p{N}|[^\s\p{L}\p{N}]+")
_WORD = regex.compile(r"[\p{L}\p{N}]+")
_LONGEST: Final = 8000  # characters in which a limit is looked for
_WORDS: Final = 40  # characters; longer ones are of scripts without blanks


def is_exact() -> bool:
    """Whether CLIP's tokenizer is installed (``pip install '.[studio]'``); else counts are estimates."""
    return _tokenizer() is not None


def count_tokens(text: str) -> int:
    """The number of tokens with the two marks; an estimate, usually within a tenth, without the tokenizer."""
    tokenizer = _tokenizer()
    if tokenizer is not None:
        return len(tokenizer(text)) + 2
    return sum(1 + (len(piece) - 1) // 8 for piece in _PIECE.findall(text)) + 2


def token_end(text: str, tokens: int) -> int:
    """The number of characters of a text within ``tokens``, including the two marks; complete words.

    It is the text's length if that has no more tokens.
    """
    head = text[:_LONGEST]
    end = bisect.bisect_right(range(len(head) + 1), tokens, key=lambda size: count_tokens(head[:size])) - 1
    if end >= len(head):
        return end
    for word in _WORD.finditer(head):
        if word.start() < end < word.end() and word.end() - word.start() <= _WORDS:
            end = word.start()
    return len(head[:end].rstrip())


@functools.cache
def _tokenizer() -> Callable[[str], list[int]] | None:
    try:
        from instant_clip_tokenizer import Tokenizer
    except ImportError:
        return None
    encode: Callable[[str], list[int]] = Tokenizer().encode
    return encode
