"""From measurements to words: the picture as a whole, and facts about its composition."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal

import numpy as np

from cutline.captioners.pixels.colours import name_of, side
from cutline.captioners.pixels.grammar import Chooser, with_article, word_below
from cutline.captioners.pixels.measurements import Measurements

_SHAPES: Final = {
    math.nextafter(0.5, 1): "tall", 0.94: "portrait", math.nextafter(1.06, 2): "square",
    2.0: "landscape", math.inf: "panorama",
}  # fmt: skip
# Equivalent clauses by tag.
_CLAUSES: Final = {
    "backlit": "dark shapes stand against a bright background|the light comes from behind darker shapes",
    "points of light":
        "small bright points are scattered through the dark|many points of light stand out of the dark",
    "bright centre": (
        "the light gathers in the centre and falls off towards the edges"
        "|the centre is clearly brighter than the edges"
    ),
    "dark centre":
        "the centre is darker than its surroundings|the surroundings are brighter than the centre",
    "brighter {0}": "the {0} side is clearly brighter than the {1}|it grows darker towards the {1}",
    "high contrast":
        "contrast is strong, from deep shadow to near white|deep shadows meet bright highlights",
    "low contrast": "contrast is low|its tones lie close together",
    "horizon": "a level edge crosses the frame {0}, like a horizon|a horizon-like edge lies {0}",
    "level edge": "a level edge crosses the frame {0}|a level line divides the frame {0}",
    "vertical division":
        "an upright edge divides the frame {0}|an upright edge runs from top to bottom {0}",
    "plain background":
        "one central form stands out from {0} background|the middle is set off against {0} background",
    "symmetrical":
        "its left and right halves nearly mirror each other|left and right are close to symmetrical",
    "reflection": (
        "its upper and lower halves nearly mirror each other"
        "|the lower half resembles a reflection of the upper"
    ),
    "pattern": "similar shapes repeat at regular distances|a regular pattern repeats across the frame",
    "rectangular lines":
        "upright and level lines give it a rectangular order|straight edges run mostly upright and level",
    "vertical lines": "upright lines lead the eye|strong verticals structure the frame",
    "horizontal lines": "level lines run through it|horizontal lines calm the frame",
    "diagonal lines": "diagonal lines run through it|its lines run mostly on the diagonal",
    "busy texture":
        "fine detail fills most of the frame|the frame is full of detail|dense texture covers most of it",
    "smooth areas":
        "large areas are smooth and empty of detail|much of it is smooth and without detail",
    "weight in the {1} half": (
        "the {0} half is smooth while the {1} is full of detail|nearly all detail lies in the {1} half"
        "|a smooth {0} half meets a detailed {1} one"
    ),
    "weight {0}": "most of the detail lies {0}|the visual weight lies {0}",
    "even tones": "its tones hardly differ|one tone prevails from edge to edge",
    "even detail": (
        "tones range from {0} to {1}, and detail is spread evenly"
        "|its tones run from {0} to {1}, with no part outweighing the others"
        "|all parts of the frame hold detail, in tones from {0} to {1}"
    ),
}  # fmt: skip
_HEIGHTS: Final = {
    0.2: "near the top", 0.4: "in the upper third", 0.47: "just above the middle", 0.53: "at half height",
    0.6: "just below the middle", 0.8: "in the lower third", math.inf: "near the bottom",
}  # fmt: skip
_BREADTHS: Final = {
    0.2: "near the left edge", 0.45: "left of the middle", 0.55: "in the middle",
    0.8: "right of the middle", math.inf: "near the right edge",
}  # fmt: skip


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


def judge(found: Measurements) -> Judgement:
    light, colour, structure = found.light, found.colour, found.structure
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
    focuses = {
        "": kind != "photograph",
        "soft": structure.blurred > 0.6 and structure.sharpest < 0.95,
        "shallow": structure.blurred > 0.42,
        "crisp": structure.sharpness > 0.85 and structure.blurred < 0.15,
    }
    return Judgement(
        shape=word_below(found.width / found.height, _SHAPES),
        kind=kind,
        tone=_first(tones),
        mood=mood,
        warmth=_first(warmths),
        focus=_first(focuses),
        contrast=_first({"high": reach > 0.72 and light.spread > 0.24, "low": reach < 0.32}),
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


@dataclasses.dataclass(frozen=True, slots=True)
class Fact:
    """``strength``, 0 to about 1, ranks facts; ``values`` fill the placeholders of ``kind``."""

    strength: float
    kind: str
    values: Sequence[str] = ()

    @property
    def tag(self) -> str:
        return self.kind.format(*self.values)

    def clause(self, chooser: Chooser) -> str:
        return chooser.pick(_CLAUSES[self.kind]).format(*self.values)


def facts(found: Measurements, judged: Judgement) -> list[Fact]:
    """Facts by decreasing strength; at least one."""
    candidates = (*_light(found, judged), *_forms(found), *_detail(found))
    gathered = [fact for fact in candidates if fact]
    return sorted(gathered or [_default_fact(found)], key=lambda fact: -fact.strength)


def _light(found: Measurements, judged: Judgement) -> Iterator[Fact | Literal[False]]:
    light, sideways = found.light, found.structure.sideways
    points = light.points >= (25 if light.median < 0.3 else 150) and light.bright < 0.75
    sides = ("right", "left") if sideways > 0 else ("left", "right")
    contrast = judged.contrast if judged.kind != "plain" else ""
    yield light.backlit and Fact(0.75, "backlit")
    yield (
        (points and Fact(0.8, "points of light"))
        or (light.vignette > 0.16 and Fact(0.45 + light.vignette, "bright centre"))
        or (light.vignette < -0.18 and Fact(0.4 - light.vignette, "dark centre"))
    )
    yield abs(sideways) > 0.13 and Fact(0.3 + abs(sideways), "brighter {0}", sides)
    yield contrast != "" and Fact(0.5, f"{contrast} contrast")


def _forms(found: Measurements) -> Iterator[Fact | Literal[False]]:
    structure, horizon, split = found.structure, found.structure.horizon, found.structure.upright_split
    if horizon is not None:
        height = [word_below(horizon, _HEIGHTS)]
        like_sky = structure.upper_edges < 0.6 * structure.lower_edges and 0.25 < horizon < 0.8
        yield Fact(0.85, "horizon", height) if like_sky else Fact(0.45, "level edge", height)
    yield split is not None and Fact(0.5, "vertical division", [word_below(split, _BREADTHS)])
    plain = found.plain_rim > 0.8 and found.subject > 0.3 and structure.edges < 0.3
    yield plain and Fact(0.9, "plain background", [with_article(f"even {found.rim_name}")])
    mirrored = structure.mirrored > 0.9 and horizon is None
    yield mirrored and Fact(structure.mirrored - 0.25, "symmetrical")
    yield structure.reflected > 0.85 and Fact(structure.reflected - 0.2, "reflection")
    yield structure.repetition > 0.5 and Fact(structure.repetition, "pattern")


def _detail(found: Measurements) -> Iterator[Fact | Literal[False]]:
    structure, upright, level = found.structure, found.structure.verticals, found.structure.horizontals
    yield structure.edges >= 0.02 and (
        (upright + level > 0.62 and min(upright, level) > 0.2 and Fact(0.62, "rectangular lines"))
        or (upright > 0.36 and Fact(upright + 0.2, "vertical lines"))
        or (level > 0.38 and Fact(level + 0.15, "horizontal lines"))
        or (structure.diagonals > 0.355 and Fact(structure.diagonals + 0.2, "diagonal lines"))
    )
    smooth = structure.flat > 0.6 or structure.edges < 0.035
    busy = structure.edges > 0.34 and Fact(0.3 + structure.edges / 2, "busy texture")
    yield busy or (smooth and Fact(0.5, "smooth areas"))
    fewer, more = sorted(((structure.upper_edges, "upper"), (structure.lower_edges, "lower")))
    x, y = structure.detail_x, structure.detail_y
    where, off = _corner(x, y), max(abs(x - 0.5), abs(y - 0.5))
    uneven = more[0] > 0.08 and fewer[0] < 0.3 * more[0]
    half = uneven and Fact(0.72, "weight in the {1} half", [fewer[1], more[1]])
    yield half or (where != "" and Fact(0.3 + 2 * off, "weight {0}", [where]))


def _default_fact(found: Measurements) -> Fact:
    """A fact that holds for any picture, if there is no other."""
    ends = (found.light.dark, found.light.bright)
    tones = [name_of(np.array([end, 0, 0], dtype=np.float32))[0] for end in ends]
    return Fact(0.1, "even tones") if tones[0] == tones[1] else Fact(0.1, "even detail", tones)


def _corner(x: float, y: float) -> str:
    vertical, horizontal = side(y, 0.42, "upper|lower"), side(x, 0.43, "left|right")
    if vertical and not horizontal:
        return f"in the {vertical} half"
    return " ".join(filter(None, ("towards the", vertical, horizontal))) if horizontal else ""
