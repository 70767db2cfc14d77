"""Which rows of a scope a policy captions."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from cutline.dataset.dataset import Dataset
from cutline.studio.generation.choice import Policy


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """``rows`` to caption; excluded are ``captioned`` ones, those ``by_person``, and ``locked`` ones."""

    rows: Sequence[int]
    captioned: int = 0
    by_person: int = 0
    locked: int = 0


def select(dataset: Dataset, rows: Sequence[int], policy: Policy, *, replaces_person: bool) -> Selected:
    """Select rows; blocks.

    ``missing`` takes rows without a caption and a proposal; ``overwrite`` excludes captions by people, unless
    ``replaces_person``. Captions that cannot be edited are excluded.
    """
    dataset.read_texts()
    missing = [row for row in rows if dataset.caption(row) is None]
    locked = {row for row in missing if dataset.problem(row)}
    if policy == "missing":
        proposed = dataset.proposals.keys()
        left = [row for row in missing if row not in locked and dataset.entries[row].key not in proposed]
        return Selected(rows=left, captioned=len(rows) - len(left) - len(locked), locked=len(locked))
    person = dataset.by_person(rows) if policy == "overwrite" and not replaces_person else set()
    left = [row for row in rows if row not in locked and row not in person]
    return Selected(rows=left, by_person=len(person), locked=len(locked))
