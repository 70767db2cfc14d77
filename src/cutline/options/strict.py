"""The base of all options."""

from __future__ import annotations

from typing import Any, ClassVar


class StrictOptions:
    """Base of dataclasses that pydantic reads from job files and requests: unknown names are errors."""

    __slots__ = ()
    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}
