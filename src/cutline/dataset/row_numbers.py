"""Numbers of rows as callers give them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import numpy as np

from cutline.dataset.preview import RowNumbers
from cutline.errors import ConfigError

Rows: TypeAlias = RowNumbers | Iterable[int]


def row_numbers(rows: Rows | None, count: int) -> RowNumbers:
    """The rows as an array, in their order; all of ``count`` for None.

    Raises:
        ConfigError: they are no whole numbers, or there is no such row.
    """
    if rows is None:
        return np.arange(count, dtype=np.int64)
    if isinstance(rows, str | bytes) or not isinstance(rows, Iterable):
        raise ConfigError(f"rows takes a list of row numbers, such as [0, 1], not {rows!r:.60}")
    try:
        found = rows if isinstance(rows, np.ndarray) else np.asarray(list(rows))
    except ValueError:  # lists of different lengths
        found = np.zeros(1)
    if not found.size:
        return np.zeros(0, dtype=np.int64)
    if found.ndim != 1 or found.dtype.kind not in "iu":
        cure = "give np.flatnonzero(mask)" if found.dtype.kind == "b" else "find() returns such"
        raise ConfigError(f"rows takes whole numbers, the numbers of rows: {cure}")
    wrong = found[(found < 0) | (found >= count)]
    if len(wrong):
        raise ConfigError(f"there is no row {wrong[0]}: the {count:,} rows are numbered from 0")
    return found.astype(np.int64, copy=False)
