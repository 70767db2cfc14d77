"""Read scores of captions from a table, such as that of ``cutline eval --output``."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

from cutline.errors import ConfigError
from cutline.formatting import stored_key
from cutline.sinks.reader import numbered_rows
from cutline.storage import is_remote, local_path

Scores: TypeAlias = dict[str, dict[str, float]]
"""The scores of each picture, by name."""

_FORMATS: Final = {".parquet": "parquet", ".csv": "csv", ".jsonl": "jsonl"}
_NO_SCORES: Final = frozenset({"image_id", "key"})


def read_scores(path: str) -> Scores:
    """The numbers of a table with a column ``image_id``; texts and empty cells are left out.

    Raises:
        ConfigError: it cannot be read, or has no such column, or no number.
    """
    form = _FORMATS.get(Path(path).suffix.lower())
    if form is None or is_remote(path):
        raise ConfigError(
            f"scores are a local {', '.join(_FORMATS)} file, such as that of `cutline eval -o`: change {path}"
        )
    scores: Scores = {}
    for number, row in numbered_rows(local_path(path), form):
        key = row.get("image_id")
        if key is None:
            raise ConfigError(f"{path} has no image_id in row {number}: give the table of `cutline eval -o`")
        scores[stored_key(str(key))] = dict(_numbers(row))
    if not any(scores.values()):
        raise ConfigError(f"{path} holds no scores: give the table of `cutline eval -o`")
    return scores


def _numbers(row: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in row.items():
        if name in _NO_SCORES or isinstance(value, bool) or not isinstance(value, int | float | str):
            continue
        try:
            found = float(value)
        except ValueError:
            continue
        if math.isfinite(found):
            yield name, found
