"""Messages about what is waited for, such as the download of a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Say: TypeAlias = Callable[[str], None]
"""Takes lines about what is waited for, from any thread."""


def silent(_: str) -> None:
    """Discard a line."""
