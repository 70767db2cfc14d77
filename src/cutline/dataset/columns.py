"""The columns of a dataset that queries evaluate."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cutline.dataset.picture_copies import find_copies
from cutline.dataset.row_sets import NamedRows
from cutline.dataset.text_column import TextColumn
from cutline.dataset.token_counter import count_tokens
from cutline.errors import ConfigError


class DatasetColumns:
    """Columns over the captions in memory; computed columns are cached by block."""

    def __init__(
        self,
        rows: Mapping[str, int],
        captions: TextColumn,
        keys_with: Callable[[str, str], frozenset[str]],
        named: Callable[[str], NamedRows],
        pictures: Callable[[], Sequence[str]] | None = None,
    ) -> None:
        """``rows`` by their keys, in order; ``keys_with`` finds the keys with a property.

        ``named``: the rows by names of the fields ``in`` and ``cluster``. ``pictures`` lists the paths of
        the pictures; None where they are not files.
        """
        self._rows = rows
        self._captions = captions
        self._keys_with = keys_with
        self._pictures = pictures
        self._named = named
        self._copies: npt.NDArray[np.bool_] | None = None

    @property
    def captions(self) -> pa.ChunkedArray:
        return self._captions.array()

    @functools.cached_property
    def keys(self) -> pa.ChunkedArray:
        return pa.chunked_array([pa.array(list(self._rows), pa.string())])

    def sizes(self, unit: str) -> npt.NDArray[np.int32]:
        return np.asarray(self._captions.derive(unit, _SIZES[unit]))

    def word_sets(self) -> pa.ChunkedArray:
        return self._captions.derive("word sets", _word_sets)

    def picture_copies(self) -> npt.NDArray[np.bool_]:
        return self._copies if self._copies is not None else self.read_pictures()

    def read_pictures(self) -> npt.NDArray[np.bool_]:
        """Find the copies among the pictures again, which reads files. ConfigError if they are not files."""
        if self._pictures is None:
            raise ConfigError("dup:picture is for folders of pictures")
        self._copies = find_copies(self._pictures())
        return self._copies

    def in_set(self, name: str) -> npt.NDArray[np.bool_]:
        return self._named("in").mask(name)

    def cluster(self, value: str) -> npt.NDArray[np.bool_]:
        return self._named("cluster").mask(value)

    def mark(self, field: str, value: str) -> npt.NDArray[np.bool_]:
        if (field, value) == ("edited", "no"):
            return ~self.mark(field, "yes")
        if (field, value) == ("status", "open"):
            return ~self.mark(field, "done")
        found = np.zeros(len(self._rows), dtype=bool)
        found[[self._rows[key] for key in self._keys_with(field, value) if key in self._rows]] = True
        return found


def _words(captions: pa.Array) -> pa.Array:
    texts = pc.utf8_trim_whitespace(captions)
    is_ascii = pc.all(pc.string_is_ascii(texts)).as_py()
    split = pc.ascii_split_whitespace if is_ascii else pc.utf8_split_whitespace
    counts = pc.if_else(pc.equal(texts, ""), 0, pc.list_value_length(split(texts)))
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
