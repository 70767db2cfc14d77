"""What an edit would do, before anything is written."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

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

    def without(self, rows: Sequence[int]) -> Preview:
        """The preview without the changes of these rows."""
        if not rows:
            return self
        kept = ~np.isin(self.rows, np.array(rows, dtype=np.int64))
        mask = pa.array(kept)
        return dataclasses.replace(
            self, rows=self.rows[kept], before=self.before.filter(mask), after=self.after.filter(mask)
        )
