"""Motion blur: detail in one direction only."""

from __future__ import annotations

from typing import Final

import numpy as np

from cutline.imaging.decoded import DecodedPicture
from cutline.interfaces import Measure
from cutline.measures.oklab import Floats
from cutline.measures.sharpness import FOCUS_SIDE

_LENGTH: Final = 9  # pixels
_DIRECTIONS: Final = ((0, 1), (1, 0), (1, 1), (1, -1))


class Motion(Measure):
    """The share of the squared gradient that survives a mean over 9 pixels; the largest of four directions.

    A picture blurred by camera shake hardly changes when it is blurred again in the same direction.
    """

    name = "motion"
    meaning = "share of detail that a further blur of 9 pixels keeps; high after camera shake"
    usual, bad = 0.3, 0.6

    def measure(self, picture: DecodedPicture) -> float | None:
        """None for pictures that are too small or have no detail."""
        luma = picture.luma(FOCUS_SIDE)
        if min(luma.shape) < 3 * _LENGTH:
            return None
        shares = (_share_left(luma, *way) for way in _DIRECTIONS)
        return max((share for share in shares if share is not None), default=None)


def _share_left(luma: Floats, down: int, right: int) -> float | None:
    """The share of the gradient along a direction that survives a mean in the same direction."""
    before = _gradient(luma, down, right)
    return _gradient(_smeared(luma, down, right), down, right) / before if before > 3e-3 else None


def _smeared(luma: Floats, down: int, right: int) -> Floats:
    """The mean over 9 pixels in a direction; smaller by 8 pixels there."""
    mean = _shifted(luma, down, right, 0, _LENGTH).copy()
    for step in range(1, _LENGTH):
        mean += _shifted(luma, down, right, step, _LENGTH)
    return mean / np.float32(_LENGTH)


def _gradient(luma: Floats, down: int, right: int) -> float:
    first, second = (_shifted(luma, down, right, step, 2) for step in range(2))
    return float(np.sqrt(np.square(second - first).mean()))


def _shifted(luma: Floats, down: int, right: int, step: int, length: int) -> Floats:
    """``luma`` shifted by ``step`` of ``length`` pixels in a direction."""
    height, width = luma.shape
    rows, columns = height - (length - 1) * down, width - (length - 1) * abs(right)
    top, left = step * down, step * right if right >= 0 else length - 1 - step
    return luma[top : top + rows, left : left + columns]
