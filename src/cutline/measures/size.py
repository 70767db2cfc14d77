"""The size of the whole, upright picture."""

from __future__ import annotations

import math

from cutline.imaging.decoded import DecodedPicture
from cutline.interfaces import Measure


class Side(Measure):
    name = "side"
    meaning = "pixels of the shorter side"
    low, high = 1.0, math.inf
    usual, bad = 480, 100
    needs_pixels = False

    def measure(self, picture: DecodedPicture) -> float:
        return min(picture.width, picture.height)


class Pixels(Measure):
    name = "pixels"
    meaning = "width times height"
    low, high = 1.0, math.inf
    usual, bad = 307_200, 10_000
    needs_pixels = False

    def measure(self, picture: DecodedPicture) -> float:
        return picture.width * picture.height


class Aspect(Measure):
    name = "aspect"
    meaning = "longer side by shorter side"
    low, high = 1.0, math.inf
    usual, bad = 1.5, 5.0
    needs_pixels = False

    def measure(self, picture: DecodedPicture) -> float:
        return max(picture.width, picture.height) / min(picture.width, picture.height)
