"""Measures of pictures."""

from __future__ import annotations

import dataclasses
from typing import Protocol

from cutline.imaging.decoded import DecodedPicture
from cutline.interfaces.messages import Say, silent


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MeasureOptions:
    """What measures with a model are made with: models are hub names, folders or files."""

    classifier: str | None = None
    aesthetic_model: str | None = None
    aesthetic_head: str | None = None
    device: str = "auto"


class Measure(Protocol):
    """One number about a picture; subclass it. Methods block and are called by several threads.

    ``name`` is that in the registry and in rules. Values lie between ``low`` and ``high``. ``usual`` and
    ``bad`` are those of a good and of a bad photograph, None where neither end is the worse. A change of
    ``version`` has all pictures measured again.
    """

    name: str
    meaning: str
    """What the number says, in a line."""
    low: float = 0.0
    high: float = 1.0
    usual: float | None = None
    bad: float | None = None
    version: str = "1"
    needs_pixels: bool = True
    """Whether ``measure`` uses more than width and height."""
    is_slow: bool = False
    """Whether it is computed only where a rule names it."""
    options: MeasureOptions

    def __init__(self, options: MeasureOptions) -> None:
        """Keep the options; raises ConfigError or MissingExtra where it cannot run."""
        self.options = options

    def open(self, say: Say = silent) -> None:
        """Load what it needs; raises ConfigError."""
        return

    def measure(self, picture: DecodedPicture) -> float | None:
        """The number, or None for a picture that has none, such as the sharpness of an empty page."""
        ...
