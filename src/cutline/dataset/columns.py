"""The columns of a dataset that queries are about."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cutline.dataset.text_column import TextColumn
from cutline.dataset.token_counter import count_tokens
from cutline.errors import ConfigError


class DatasetColumns:
    """Columns over the captions in memory; what is computed from them is kept block by block."""

    def __init__(self, keys: Sequence[str], captions: TextColumn) -> None:
        self._keys = keys
        self._captions = captions

    @property
    def captions(self) -> pa.ChunkedArray:
        return self._captions.array()

    @functools.cached_property
    def keys(self) -> pa.ChunkedArray:
        return pa.chunked_array([pa.array(self._keys, pa.string())])

    def sizes(self, unit: str) -> npt.NDArray[np.int32]:
        return np.asarray(self._captions.derive(unit, _SIZES[unit]))

    def word_sets(self) -> pa.ChunkedArray:
        return self._captions.derive("word sets", _word_sets)

    def mark(self, field: str, value: str) -> npt.NDArray[np.bool_]:
        raise ConfigError(f"{field}:{value} is not known of this dataset")


def _words(captions: pa.Array) -> pa.Array:
    counts = pc.count_substring_regex(captions, r"\S+")
    return pc.fill_null(counts, 0).cast(pa.int32())


def _chars(captions: pa.Array) -> pa.Array:
    return pc.fill_null(pc.utf8_length(captions), 0)


def _tokens(captions: pa.Array) -> pa.Array:
    counts = (0 if text is None else count_tokens(text) for text in captions.to_pylist())
    return pa.array(counts, pa.int32())


_SIZES: Final[dict[str, Callable[[pa.Array], pa.Array]]] = {
    "words": _words,
    "chars": _chars,
    "tokens": _tokens,
}


def _word_sets(captions: pa.Array) -> pa.Array:
    lists = pc.split_pattern_regex(pc.utf8_lower(captions), r"[^\pL\pN]+").to_pylist()
    texts = (None if words is None else " ".join(sorted(set(words) - {""})) for words in lists)
    return pa.array(texts, pa.string())
