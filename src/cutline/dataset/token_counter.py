"""CLIP's tokens of a caption: image models read 77, of which two mark the start and the end."""

from __future__ import annotations

import functools
from collections.abc import Callable

import regex

_PIECE = regex.compile(r"\p{L}+|\p{N}|[^\s\p{L}\p{N}]+")


def is_exact() -> bool:
    """Whether CLIP's tokenizer is installed (``pip install '.[studio]'``); else counts are estimates."""
    return _tokenizer() is not None


def count_tokens(text: str) -> int:
    """The number of tokens with the two marks; an estimate, usually within a tenth, without the tokenizer."""
    tokenizer = _tokenizer()
    if tokenizer is not None:
        return len(tokenizer(text)) + 2
    return sum(1 + (len(piece) - 1) // 8 for piece in _PIECE.findall(text)) + 2


@functools.cache
def _tokenizer() -> Callable[[str], list[int]] | None:
    try:
        from instant_clip_tokenizer import Tokenizer
    except ImportError:
        return None
    encode: Callable[[str], list[int]] = Tokenizer().encode
    return encode
