"""The size of the whole, upright picture."""

from __future__ import annotations

import math

from cutline.imaging.decoded import DecodedPicture
from cutline.interfaces import Measure


class _SizeMeasure(Measure):
    low, high = 1.0, math.inf
    needs_pixels = False


class Side(_SizeMeasure):
    name = "side"
    meaning = "pixels of the shorter side"
    usual, bad = 480, 100

    def measure(self, picture: DecodedPicture) -> float:
        return min(picture.width, picture.height)


class Width(_SizeMeasure):
    name = "width"
    meaning = "pixels from left to right"
    usual, bad = 640, 100

    def measure(self, picture: DecodedPicture) -> float:
        return picture.width


class Height(_SizeMeasure):
    name = "height"
    meaning = "pixels from top to bottom"
    usual, bad = 480, 100

    def measure(self, picture: DecodedPicture) -> float:
        return picture.height


class Pixels(_SizeMeasure):
    name = "pixels"
    meaning = "width times height"
    usual, bad = 307_200, 10_000

    def measure(self, picture: DecodedPicture) -> float:
        return picture.width * picture.height


class Aspect(_SizeMeasure):
    name = "aspect"
    meaning = "longer side by shorter side"
    usual, bad = 1.5, 5.0

    def measure(self, picture: DecodedPicture) -> float:
        return max(picture.width, picture.height) / min(picture.width, picture.height)
