"""Evaluates queries over the columns of a dataset."""

from __future__ import annotations

import fnmatch
import re
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import regex

from cutline.dataset.query.tree import (
    And,
    Contains,
    Everything,
    Mark,
    Node,
    Not,
    Or,
    Path,
    Pattern,
    Size,
    Tag,
)
from cutline.dataset.regex_search import contains_text, search_all
from cutline.dataset.tags import SEPARATORS
from cutline.text.words import spellings, whole_words

Mask = npt.NDArray[np.bool_]


class Columns(Protocol):
    """The columns that queries evaluate, with one value for each row."""

    @property
    def captions(self) -> pa.ChunkedArray:
        """The captions, null if missing."""
        ...

    @property
    def keys(self) -> pa.ChunkedArray:
        """Paths of the pictures."""
        ...

    def sizes(self, unit: str) -> npt.NDArray[np.int32]:
        """The number of ``words``, ``chars`` or CLIP's ``tokens`` of each caption, 0 without one."""
        ...

    def word_sets(self) -> pa.ChunkedArray:
        """The sorted, lower-case, unique words of each caption, as one text."""
        ...

    def picture_copies(self) -> Mask:
        """The rows whose picture has the same bytes as another one."""
        ...

    def in_set(self, name: str) -> Mask:
        """The rows of a named set; ConfigError: there is no such set."""
        ...

    def cluster(self, value: str) -> Mask:
        """The rows of a cluster, by its name or its number from 1; ConfigError: there is no such cluster."""
        ...

    def mark(self, field: str, value: str) -> Mask:
        """The rows whose ``field``, such as ``status``, is ``value``; ConfigError: there is no such value."""
        ...


def evaluate(node: Node, columns: Columns) -> Mask:
    """Whether each row matches; ConfigError: a pattern takes too long."""
    match node:
        case Everything():
            found = np.ones(len(columns.captions), dtype=bool)
        case And(nodes):
            found = np.all([evaluate(each, columns) for each in nodes], axis=0)
        case Or(nodes):
            found = np.any([evaluate(each, columns) for each in nodes], axis=0)
        case Not(inner):
            found = ~evaluate(inner, columns)
        case Size(unit, low, high):
            sizes = columns.sizes(unit)
            found = (sizes >= low) & (sizes <= (np.iinfo(np.int32).max if high is None else high))
        case Mark(field, value):
            found = _mark(columns, field, value)
        case _:
            found = _text(node, columns)
    return found


def _text(node: Contains | Tag | Path | Pattern, columns: Columns) -> Mask:
    match node:
        case Contains():
            return _contains(columns.captions, node)
        case Tag(text):
            return _mask(pc.match_substring_regex(columns.captions, _tag_pattern(text.strip())))
        case Path(text):
            return _path(columns.keys, text)
        case Pattern(pattern, ignore_case):
            return search_all(columns.captions, pattern, ignore_case=ignore_case)


def _tag_pattern(tag: str) -> str:
    """The full stop behind the last of several tags is not a part of it."""
    text = "|".join(map(re.escape, spellings(tag)))
    stop = r"\s+\." if tag[-1:] in set(".0123456789") else r"\s*\."
    return rf"(?i)(?:^|{SEPARATORS})\s*(?:{text})\s*(?:$|{SEPARATORS})|{SEPARATORS}\s*(?:{text}){stop}$"


def _contains(captions: pa.ChunkedArray, node: Contains) -> Mask:
    text = node.text.strip()
    words = text.split() if node.is_phrase else []
    sieve = max(words, key=len, default=node.text)
    found = contains_text(captions, sieve, ignore_case=True)
    if words:
        rows = np.flatnonzero(found)
        phrase = r"[^\S\n]+".join(f"(?:{'|'.join(map(regex.escape, spellings(word)))})" for word in words)
        pattern = whole_words(phrase, text, is_prefix=node.is_prefix)
        found[rows] = search_all(captions.take(pa.array(rows)), pattern, ignore_case=True)
    return found


def _path(keys: pa.ChunkedArray, text: str) -> Mask:
    if any(sign in text for sign in "*?["):
        matches = re.compile(fnmatch.translate(text)).match  # Arrow has not all that this may use
        return np.fromiter((matches(key) is not None for key in keys.to_pylist()), bool, len(keys))
    return _mask(pc.match_substring(keys, text, ignore_case=True))


def _mark(columns: Columns, field: str, value: str) -> Mask:
    captions = columns.captions
    if field == "missing":
        missing = np.asarray(pc.is_null(captions))
        return missing if value == "yes" else ~missing
    if (field, value) == ("dup", "picture"):
        return columns.picture_copies()
    if field == "in":
        return columns.in_set(value)
    if field == "cluster":
        return columns.cluster(value)
    if field == "dup":
        return _repeated(columns.word_sets() if value == "near" else captions)
    return columns.mark(field, value)


def _repeated(captions: pa.ChunkedArray) -> Mask:
    """Whether another row has the same text."""
    indices = pc.dictionary_encode(captions).combine_chunks().indices
    numbers = np.asarray(pc.fill_null(indices, -1))
    counts = np.bincount(numbers[numbers >= 0], minlength=1)
    repeated: Mask = (numbers >= 0) & (counts[np.maximum(numbers, 0)] > 1)
    return repeated


def _mask(matches: pa.ChunkedArray) -> Mask:
    return np.array(pc.fill_null(matches, fill_value=False))
