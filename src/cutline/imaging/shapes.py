"""Refusals of pictures whose shape no model takes: a side of few pixels, or far longer than the other."""

from __future__ import annotations

import re
from typing import Final

_REFUSAL: Final = re.compile(
    r"aspect.ratio"  # Qwen-VL's preprocessing, and the servers that use it
    r"|(?:height|width|dimensions?|sides?)\b[^.]{0,60}\b(?:must|should) be (?:larger|greater|at least|>)"
    r"|image (?:is )?too (?:small|narrow|thin)"
    r"|(?:image|picture)s? (?:must|should) (?:be|have) at least",
    re.IGNORECASE,
)


def refuses_shape(message: str) -> bool:
    """Whether a model's or a server's error is about the picture's shape."""
    return _REFUSAL.search(message) is not None
