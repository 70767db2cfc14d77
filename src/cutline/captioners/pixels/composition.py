"""Composition: facts ranked by the strength of their measurements, as clauses."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Final

import numpy as np

from cutline.captioners.pixels.colours import name_of
from cutline.captioners.pixels.grammar import Chooser, with_article
from cutline.captioners.pixels.measurements import Measurements
from cutline.captioners.pixels.thresholds import Judgement

# Equivalent clauses by tag.
_CLAUSES: Final[dict[str, tuple[str, ...]]] = {
    "backlit": ("dark shapes stand against a bright background", "the light comes from behind darker shapes"),
    "points of light": (
        "small bright points are scattered through the dark",
        "many points of light stand out of the dark",
    ),
    "bright centre": (
        "the light gathers in the centre and falls off towards the edges",
        "the centre is clearly brighter than the edges",
    ),
    "dark centre": (
        "the centre is darker than its surroundings",
        "the surroundings are brighter than the centre",
    ),
    "brighter {0}": ("the {0} side is clearly brighter than the {1}", "it grows darker towards the {1}"),
    "high contrast": (
        "contrast is strong, from deep shadow to near white",
        "deep shadows meet bright highlights",
    ),
    "low contrast": ("contrast is low", "its tones lie close together"),
    "horizon": ("a level edge crosses the frame {0}, like a horizon", "a horizon-like edge lies {0}"),
    "level edge": ("a level edge crosses the frame {0}", "a level line divides the frame {0}"),
    "vertical division": (
        "an upright edge divides the frame {0}",
        "an upright edge runs from top to bottom {0}",
    ),
    "plain background": (
        "one central form stands out from {0} background",
        "the middle is set off against {0} background",
    ),
    "symmetrical": (
        "its left and right halves nearly mirror each other",
        "left and right are close to symmetrical",
    ),
    "reflection": (
        "its upper and lower halves nearly mirror each other",
        "the lower half resembles a reflection of the upper",
    ),
    "pattern": (
        "similar shapes repeat at regular distances",
        "a regular pattern repeats across the frame",
    ),
    "rectangular lines": (
        "upright and level lines give it a rectangular order",
        "straight edges run mostly upright and level",
    ),
    "vertical lines": ("upright lines lead the eye", "strong verticals structure the frame"),
    "horizontal lines": ("level lines run through it", "horizontal lines calm the frame"),
    "diagonal lines": ("diagonal lines run through it", "its lines run mostly on the diagonal"),
    "busy texture": (
        "fine detail fills most of the frame",
        "the frame is full of detail",
        "dense texture covers most of it",
    ),
    "smooth areas": ("large areas are smooth and empty of detail", "much of it is smooth and without detail"),
    "weight in the {1} half": (
        "the {0} half is smooth while the {1} is full of detail",
        "nearly all detail lies in the {1} half",
        "a smooth {0} half meets a detailed {1} one",
    ),
    "weight {0}": ("most of the detail lies {0}", "the visual weight lies {0}"),
    "even tones": ("its tones hardly differ", "one tone prevails from edge to edge"),
    "even detail": (
        "tones range from {0} to {1}, and detail is spread evenly",
        "its tones run from {0} to {1}, with no part outweighing the others",
        "all parts of the frame hold detail, in tones from {0} to {1}",
    ),
}
_HEIGHTS: Final = {
    0.2: "near the top",
    0.4: "in the upper third",
    0.47: "just above the middle",
    0.53: "at half height",
    0.6: "just below the middle",
    0.8: "in the lower third",
}
_BREADTHS: Final = {
    0.2: "near the left edge",
    0.45: "left of the middle",
    0.55: "in the middle",
    0.8: "right of the middle",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Fact:
    """``strength``, 0 to about 1, ranks facts; ``values`` fill the placeholders of ``kind``."""

    strength: float
    kind: str
    values: tuple[str, ...] = ()

    @property
    def tag(self) -> str:
        return self.kind.format(*self.values)

    def clause(self, chooser: Chooser) -> str:
        return chooser.pick(*_CLAUSES[self.kind]).format(*self.values)


def facts(found: Measurements, judged: Judgement) -> list[Fact]:
    """Facts by decreasing strength; at least one."""
    gathered = [
        *_light(found, judged),
        *_divisions(found),
        *_forms(found),
        *_lines(found),
        *_texture(found, judged),
    ]
    return sorted(gathered or [_default_fact(found)], key=lambda fact: -fact.strength)


def _light(found: Measurements, judged: Judgement) -> Iterator[Fact]:
    light, sideways = found.light, found.structure.sideways
    if light.backlit:
        yield Fact(0.75, "backlit")
    if light.points >= (25 if light.median < 0.3 else 150) and light.bright < 0.75:
        yield Fact(0.8, "points of light")
    elif light.vignette > 0.16:
        yield Fact(0.45 + light.vignette, "bright centre")
    elif light.vignette < -0.18:
        yield Fact(0.4 - light.vignette, "dark centre")
    if abs(sideways) > 0.13:
        yield Fact(
            0.3 + abs(sideways), "brighter {0}", ("right", "left") if sideways > 0 else ("left", "right")
        )
    if judged.contrast and judged.kind != "plain":
        yield Fact(0.5, f"{judged.contrast} contrast")


def _divisions(found: Measurements) -> Iterator[Fact]:
    structure = found.structure
    if structure.horizon is not None:
        open_above = structure.upper_edges < 0.6 * structure.lower_edges
        alike = open_above and 0.25 < structure.horizon < 0.8
        where = _step(structure.horizon, _HEIGHTS, "near the bottom")
        yield Fact(0.85, "horizon", (where,)) if alike else Fact(0.45, "level edge", (where,))
    if structure.upright_split is not None:
        where = _step(structure.upright_split, _BREADTHS, "near the right edge")
        yield Fact(0.5, "vertical division", (where,))


def _forms(found: Measurements) -> Iterator[Fact]:
    structure = found.structure
    if found.plain_rim > 0.8 and found.subject > 0.3 and structure.edges < 0.3:
        yield Fact(0.9, "plain background", (with_article(f"even {found.rim_name}"),))
    if structure.mirrored > 0.9 and structure.horizon is None:
        yield Fact(structure.mirrored - 0.25, "symmetrical")
    if structure.reflected > 0.85:
        yield Fact(structure.reflected - 0.2, "reflection")
    if structure.repetition > 0.5:
        yield Fact(structure.repetition, "pattern")


def _lines(found: Measurements) -> Iterator[Fact]:
    structure = found.structure
    upright, level = structure.verticals, structure.horizontals
    if structure.edges < 0.02:
        return
    if upright + level > 0.62 and min(upright, level) > 0.2:
        yield Fact(0.62, "rectangular lines")
    elif upright > 0.36:
        yield Fact(upright + 0.2, "vertical lines")
    elif level > 0.38:
        yield Fact(level + 0.15, "horizontal lines")
    elif structure.diagonals > 0.355:
        yield Fact(structure.diagonals + 0.2, "diagonal lines")


def _texture(found: Measurements, judged: Judgement) -> Iterator[Fact]:
    structure = found.structure
    if judged.texture == "busy":
        yield Fact(0.3 + structure.edges / 2, "busy texture")
    elif structure.flat > 0.6 or judged.texture == "plain":
        yield Fact(0.5, "smooth areas")
    upper, lower = structure.upper_edges, structure.lower_edges
    if max(upper, lower) > 0.08 and min(upper, lower) < 0.3 * max(upper, lower):
        halves = ("upper", "lower") if upper < lower else ("lower", "upper")
        yield Fact(0.72, "weight in the {1} half", halves)
        return
    where = _corner(structure.detail_x, structure.detail_y)
    if where:
        off = max(abs(structure.detail_x - 0.5), abs(structure.detail_y - 0.5))
        yield Fact(0.3 + 2 * off, "weight {0}", (where,))


def _default_fact(found: Measurements) -> Fact:
    """A fact that holds for any picture, if there is no other."""
    darkest = name_of(np.array([found.light.dark, 0, 0], dtype=np.float32))[0]
    lightest = name_of(np.array([found.light.bright, 0, 0], dtype=np.float32))[0]
    if darkest == lightest:
        return Fact(0.1, "even tones")
    return Fact(0.1, "even detail", (darkest, lightest))


def _step(position: float, steps: dict[float, str], beyond: str) -> str:
    return next((phrase for limit, phrase in steps.items() if position < limit), beyond)


def _corner(x: float, y: float) -> str:
    vertical = "upper" if y < 0.42 else "lower" if y > 0.58 else ""
    horizontal = "left" if x < 0.43 else "right" if x > 0.57 else ""
    if vertical and horizontal:
        return f"towards the {vertical} {horizontal}"
    if vertical:
        return f"in the {vertical} half"
    return f"towards the {horizontal}" if horizontal else ""
