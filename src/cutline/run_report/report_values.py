"""Read values of a report.json, which any program may have written; wrong types are ignored."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def mapping(value: Any) -> Mapping[str, Any]:
    """The object, or an empty one for another type."""
    return value if isinstance(value, Mapping) else {}


def count(value: Any) -> int | None:
    """A non-negative integer, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def counts(value: Any) -> dict[str, int]:
    """The counts of an object by name."""
    found = {name: count(each) for name, each in mapping(value).items()}
    return {name: each for name, each in found.items() if each is not None}


def positive(value: Any) -> float:
    """A positive finite number, else zero."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 < value < math.inf else 0.0


def text(value: Any) -> str:
    """A string, empty for another type."""
    return value if isinstance(value, str) else ""


def texts(value: Any) -> list[str]:
    """The non-empty strings of a list."""
    return [each for each in value if isinstance(each, str) and each] if isinstance(value, list) else []
