"""Colourfulness, hue and warmth."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from cutline.imaging.decoded import DecodedPicture
from cutline.interfaces import Measure
from cutline.measures.oklab import Floats, to_oklab

_SIDE = 80


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Colour:
    """``chroma``: the OKLab mean. ``tinted``: share of pixels with a visible hue. ``warmth``: -1 (all of
    these cool) to 1 (all warm). ``hue``: mean in degrees; ``one_hue``: similarity of hues, 0..1.
    """

    chroma: float
    tinted: float
    warmth: float
    hue: float
    one_hue: float


def colour_of(lab: Floats) -> Colour:
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    mean, tinted = float(chroma.mean()), chroma > 0.025
    if not tinted.any():
        return Colour(chroma=mean, tinted=0.0, warmth=0.0, hue=0.0, one_hue=0.0)
    chroma, (_, a, b) = chroma[tinted], lab[tinted].T
    hue, weight = np.degrees(np.arctan2(b, a)) % 360, float(chroma.sum())
    warm = float(chroma[(hue < 112) | (hue > 345)].sum())
    cool = float(chroma[(hue > 160) & (hue < 310)].sum())
    return Colour(
        chroma=mean,
        tinted=float(tinted.mean()),
        warmth=(warm - cool) / weight,
        hue=math.degrees(math.atan2(b.sum(), a.sum())) % 360,
        one_hue=math.hypot(a.sum(), b.sum()) / weight,
    )


class Chroma(Measure):
    """The mean OKLab chroma."""

    name = "chroma"
    meaning = "how colourful; 0 is grey"
    high = 0.4
    usual, bad = 0.06, 0.0

    def measure(self, picture: DecodedPicture) -> float:
        lab = to_oklab(np.asarray(picture.scaled(_SIDE)))
        mean = float(np.hypot(lab[..., 1], lab[..., 2]).mean())
        return round(mean, 6)  # of grey 0, whatever the arithmetic
