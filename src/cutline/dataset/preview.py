"""What an edit would do, before anything is written."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cutline.dataset.edits import Edit

RowNumbers = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What an edit would do: ``rows`` of those in scope change, to ``after``; nothing is written yet."""

    edit: Edit
    scope: int
    rows: RowNumbers
    before: pa.Array
    after: pa.Array
