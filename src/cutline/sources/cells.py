"""From a table's cell to a caption, or to a value that JSON can hold."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from cutline.sidecars.encoding import decode_text


def plain(value: Any) -> Any:
    """The value as JSON can hold it: dates as ISO text, bytes as their length, what is unknown as text."""
    if value is None or isinstance(value, bool):
        return value
    for types, convert in _CONVERSIONS:
        if isinstance(value, types):
            return convert(value)
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _repaired(text: str) -> str:
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        return decode_text(text.encode("utf-8", "surrogateescape"))
    return text


_CONVERSIONS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (str, lambda text: text if text.isascii() else _repaired(text)),
    (int, lambda number: number if -(2**63) <= number < 2**64 else str(number)),
    (float, lambda number: number if math.isfinite(number) else None),
    ((bytes, bytearray, memoryview), lambda data: f"<{len(data)} bytes>"),
    (dict, lambda data: {str(key): plain(inner) for key, inner in data.items()}),
    ((list, tuple, set, frozenset), lambda items: [plain(inner) for inner in items]),
)


def first_text(value: Any) -> str | None:
    """A caption out of a cell: the text, the first of a list of them, or None for what holds none."""
    if isinstance(value, list | tuple) and value:
        value = value[0]
    text = plain(value) if isinstance(value, str) else None
    return text.strip() or None if text else None


def metadata(row: dict[str, Any], leave_out: str | None = None) -> dict[str, Any]:
    """The row's cells as JSON values, without bytes."""
    return {
        str(name): plain(value)
        for name, value in row.items()
        if name != leave_out and name is not None and not isinstance(value, bytes)
    }
