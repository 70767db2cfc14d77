"""Tokens as in the published figures of COCO captions.

coco-caption, the reference implementation of Chen et al., "Microsoft COCO Captions: Data Collection and
Evaluation Server", 2015 (arXiv:1504.00325), takes captions apart with the tokenizer of Stanford CoreNLP 3.4.1
in lower case, and drops punctuation. These rules give the same tokens. Each caption is taken by itself, so
that no character of it can move another one.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import regex

from cutline.metrics import coco_token_rules as rules
from cutline.text.corpus import Corpus

PUNCTUATION: Final = frozenset(
    ("''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", ".", "?", "!", ",", ":", "-", "--", "...", ";")
)
"""What coco-caption drops; as the tokens are in lower case by then, brackets are never among them."""

_PLAIN: Final = regex.compile(r"([A-Za-z]+)[,.;:!?]?")
# Where the tokens of a chunk depend on the next one: initials before capitals, numbers, dots and mark-up.
_CONTEXT: Final = regex.compile(r"<|\d\)?\s\d|\.\s[.\d]|(?<![^\W_])[A-Za-z]\.\s\p{Lu}")
_PERHAPS: Final = re.compile(r"<|[.\d)]\s")  # quicker, and true for all those
_MEMO_LIMIT: Final = 500_000  # different chunks that are remembered


class CocoTokenizer:
    """Numbers for tokens, those of a chunk between blanks remembered, as most chunks come again."""

    def __init__(self) -> None:
        self.vocabulary: list[str] = []
        self._numbers: dict[str, int] = {}
        self._memo = _Memo(self._numbered)

    def ids(self, text: str) -> list[int]:
        """The tokens of one caption, without punctuation, as numbers in ``vocabulary``."""
        if _PERHAPS.search(text) and _CONTEXT.search(text):
            return list(self._numbered(_lexed(" ".join(text.split()))))
        memo = self._memo
        if len(memo) > _MEMO_LIMIT:
            memo.clear()
        return list(itertools.chain.from_iterable(map(memo.__getitem__, text.split())))

    def tokens(self, text: str) -> list[str]:
        """The tokens of one caption, without punctuation."""
        return [self.vocabulary[number] for number in self.ids(text)]

    def _numbered(self, tokens: Iterable[str]) -> tuple[int, ...]:
        return tuple(map(self._number, tokens))

    def _number(self, token: str) -> int:
        number = self._numbers.setdefault(token, len(self.vocabulary))
        if number == len(self.vocabulary):
            self.vocabulary.append(token)
        return number


class _Memo(dict[str, tuple[int, ...]]):
    def __init__(self, numbered: Callable[[Iterable[str]], tuple[int, ...]]) -> None:
        self._numbered = numbered

    def __missing__(self, chunk: str) -> tuple[int, ...]:
        plain = _PLAIN.fullmatch(chunk)
        if plain is not None and not rules.is_special(plain[1], chunk):
            tokens: Sequence[str] = (plain[1].lower(),)
        else:
            tokens = _lexed(chunk)
        found = self[chunk] = self._numbered(tokens)
        return found


def corpus_of(
    captions: Sequence[str], references: Sequence[Sequence[str]], keys: Sequence[str] = ()
) -> Corpus:
    """Captions and the references of each, in the tokens of coco-caption."""
    tokenizer = CocoTokenizer()
    vocabulary = tokenizer.vocabulary
    return Corpus(captions, references, token_ids=tokenizer.ids, vocabulary=vocabulary, keys=keys)


def _lexed(text: str) -> Sequence[str]:
    """The tokens of a text by the longest match of any rule, without punctuation."""
    tokens: list[str] = []
    place = 0
    while place < len(text):
        if text[place] in rules.BLANKS:
            place += 1
            continue
        token, place = rules.longest(text, place)
        token = token.lower()
        if token and token not in PUNCTUATION:
            tokens.append(token)
    return tokens
