"""Colours of groups that can be told apart on light and dark backgrounds."""

from __future__ import annotations

import math
from typing import Final

_GOLDEN: Final = 137.50776405  # degrees: consecutive hues lie far apart, however many there are
_LIGHTNESS: Final = (0.66, 0.56, 0.76)
_CHROMA: Final = 0.13
OTHER: Final = "#8a8f98"


def group_color(number: int) -> str:
    """``#rrggbb`` of a group, by its number from 0: hues in turns of the golden angle, in OKLCH.

    Source: Björn Ottosson, "A perceptual color space for image processing", 2020 (the matrices).
    """
    hue = math.radians(25 + number * _GOLDEN)
    lightness = _LIGHTNESS[number % len(_LIGHTNESS)]
    a, b = _CHROMA * math.cos(hue), _CHROMA * math.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    return "#" + "".join(f"{round(255 * _encoded(min(1.0, max(0.0, value)))):02x}" for value in linear)


def _encoded(value: float) -> float:
    return 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
