"""The measures of a run's pictures, and the pictures that its rules rejected."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from cutline.engine.journal_file import JournalFile
from cutline.engine.remote_measures import MEASURES


def measured_pictures(folder: Path) -> Iterator[tuple[str, dict[str, float]]]:
    """The key of each measured picture, with its values by the measure's name.

    Raises SourceError: the file cannot be read.
    """
    for _, line in JournalFile(folder / MEASURES, read_only=True).load():
        try:
            data = orjson.loads(line)
            values = data.get("values") or {}
            known = {name: float(value) for name, value in values.items() if _is_number(value)}
            yield str(data["key"]), {name.partition("@")[0]: value for name, value in known.items()}
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
            continue  # a damaged line


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def rejected_pictures(listed: Path) -> Iterator[tuple[str, str, str]]:
    """Key, rule and reason of each rejected picture in the list beside an output, if there is one.

    Raises SourceError: the file cannot be read.
    """
    for _, line in JournalFile(listed, read_only=True).load():
        try:
            data = orjson.loads(line)
            yield str(data["image_id"]), str(data["rule"]), str(data["reason"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            continue  # another file, or a damaged line
