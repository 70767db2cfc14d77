"""Validation of what filters and checks return, which may be written by users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cutline.interfaces.stage import CheckResult, Rejection, Violation


def validate_rejection(found: Any) -> None:
    """Raise TypeError unless a filter returned None or a proper ``Rejection``."""
    if found is None:
        return
    if not isinstance(found, Rejection):
        raise _returned(found, "None or a cutline.Rejection")
    _require(found, "reason", str, "a text")
    if found.value is not None:
        _require(found, "value", Mapping, 'a dict, such as {"width": 80}')


def validate_result(found: Any) -> None:
    """Raise TypeError unless a check returned a proper ``CheckResult``, ``Rejection`` or ``Violation``."""
    if isinstance(found, Rejection):
        validate_rejection(found)
    elif isinstance(found, CheckResult):
        _require(found, "text", str, "a text")
        _require(found, "note", Mapping, "a dict")
        if found.fields is not None:
            _require(found, "fields", Mapping, "a dict")
    elif isinstance(found, Violation):
        _require(found, "reason", str, "a text")
        _require(found, "message", str, "a text")
        _require(found, "note", Mapping, "a dict")
        if found.repaired is not None:
            _require(found, "repaired", CheckResult, "a cutline.CheckResult")
            validate_result(found.repaired)
    else:
        raise _returned(found, "a cutline.CheckResult, Rejection or Violation")


def _returned(found: Any, expected: str) -> TypeError:
    return TypeError(f"a value of the type {type(found).__name__} was returned; return {expected}")


def _require(found: Any, field: str, kind: type, expected: str) -> None:
    value = getattr(found, field)
    if not isinstance(value, kind):
        name = f"{type(found).__name__}.{field}"
        raise TypeError(f"{name} has the type {type(value).__name__}; it must be {expected}")
