"""Changes of columns of captions, where null is a missing one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def each_text(texts: pa.Array, change: Callable[[str], str]) -> pa.Array:
    return pa.array([None if text is None else change(text) for text in texts.to_pylist()], pa.string())


def put_texts(texts: pa.Array, rows: np.ndarray[tuple[int], np.dtype[np.int64]], new: pa.Array) -> pa.Array:
    mask = np.zeros(len(texts), dtype=bool)
    mask[rows] = True
    return pc.replace_with_mask(texts, pa.array(mask), new)
