"""Values of a report.json, which any program may have written: what is of another type is left out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def mapping(value: Any) -> Mapping[str, Any]:
    """The value, or none where it is no object."""
    return value if isinstance(value, Mapping) else {}


def count(value: Any) -> int | None:
    """A whole number that is not negative."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def counts(value: Any) -> dict[str, int]:
    """The counts of an object by name."""
    found = {name: count(each) for name, each in mapping(value).items()}
    return {name: each for name, each in found.items() if each is not None}


def positive(value: Any) -> float:
    """A finite number above zero, else zero."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 < value < math.inf else 0.0


def text(value: Any) -> str:
    """A text, empty for anything else."""
    return value if isinstance(value, str) else ""


def texts(value: Any) -> list[str]:
    """The texts of a list that are not empty."""
    return [each for each in value if isinstance(each, str) and each] if isinstance(value, list) else []
