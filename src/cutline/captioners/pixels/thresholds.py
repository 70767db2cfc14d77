"""The thresholds from measurements to words."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Final

from cutline.captioners.pixels.grammar import word_below
from cutline.captioners.pixels.measurements import Measurements

_SHAPES: Final = {
    math.nextafter(0.5, 1): "tall",
    0.94: "portrait",
    math.nextafter(1.06, 2): "square",
    2.0: "landscape",
    math.inf: "panorama",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Words for a picture as a whole; an empty string where none applies."""

    shape: str
    kind: str
    tone: str
    mood: str
    warmth: str
    focus: str
    contrast: str
    texture: str


def judge(found: Measurements) -> Judgement:
    light, colour, edges = found.light, found.colour, found.structure.edges
    reach = light.bright - light.dark
    kind, mood = _kind(found), _mood(found)
    tones = {
        "dark": light.median < 0.30 or (light.median < 0.34 and light.bright < 0.92),
        "dim": light.median < 0.42 and light.bright < 0.85,
        "pale": light.median > 0.82 and light.dark > 0.55,
        "bright": light.median > 0.76,
    }
    warmths = {
        "": colour.tinted < 0.2 or mood in {"black-and-white", "sepia"},
        "warm": colour.warmth > 0.75,
        "cool": colour.warmth < -0.55,
        "mixed": abs(colour.warmth) < 0.45 and colour.tinted > 0.4,
    }
    return Judgement(
        shape=word_below(found.width / found.height, _SHAPES),
        kind=kind,
        tone=_first(tones),
        mood=mood,
        warmth=_first(warmths),
        focus=_focus(found) if kind == "photograph" else "",
        contrast=_first({"high": reach > 0.72 and light.spread > 0.24, "low": reach < 0.32}),
        texture=_first({"busy": edges > 0.34, "plain": edges < 0.035}),
    )


def _first(rules: Mapping[str, bool]) -> str:
    """The first word whose rule holds, or an empty string."""
    return next((word for word, holds in rules.items() if holds), "")


def _kind(found: Measurements) -> str:
    structure, palette = found.structure, found.palette
    light_paper = structure.paper > 0.5 and found.colour.chroma < 0.03 and found.light.median > 0.62
    mostly_even, white = structure.even > 0.6, structure.paper > 0.9
    kinds = {
        "plain": structure.edges < 0.0005 and structure.flat > 0.97 and len(palette) == 1,
        "page": light_paper and 0.04 < structure.ink < 0.3 and structure.strokes > 0.21,
        "line drawing": light_paper and white and mostly_even and 0.002 < structure.ink < 0.08,
        "graphic": mostly_even and sum(swatch.share for swatch in palette) > 0.85,
    }
    return _first(kinds) or "photograph"


def _mood(found: Measurements) -> str:
    colour, light = found.colour, found.light
    one_hue = colour.one_hue > 0.985 and colour.tinted > 0.5 and 0.02 < colour.chroma < 0.09
    toned = colour.one_hue > 0.995 and light.bright - light.dark > 0.5 and 55 < colour.hue < 95
    moods = {
        "black-and-white": colour.tinted < 0.02 and colour.chroma < 0.012,
        "sepia": one_hue and toned,
        "one hue": one_hue,
        "vivid": colour.chroma > 0.105,
        "muted": colour.chroma < 0.032,
    }
    return _first(moods)


def _focus(found: Measurements) -> str:
    structure = found.structure
    focuses = {
        "soft": structure.blurred > 0.6 and structure.sharpest < 0.95,
        "shallow": structure.blurred > 0.42,
        "crisp": structure.sharpness > 0.85 and structure.blurred < 0.15,
    }
    return _first(focuses)
