"""Sharpness of the sharpest edges."""

from __future__ import annotations

from typing import Final

from cutline.imaging.decoded import DecodedPicture
from cutline.interfaces import Measure
from cutline.measures.structure import focus_of

FOCUS_SIDE: Final = 384


class Sharpness(Measure):
    """The strongest Laplacian over the range, in cells with contrast: their 90 % quantile.

    One sharp part suffices, so a blurred background does not lower it.
    """

    name = "sharpness"
    meaning = "sharpness of the sharpest edges; low for blurred and enlarged pictures"
    high = 4.0
    usual, bad = 1.2, 0.4

    def measure(self, picture: DecodedPicture) -> float | None:
        """None where fewer than four of 144 cells have contrast."""
        return focus_of(picture.luma(FOCUS_SIDE)).get("sharpest")
