"""How a picture is built, as clauses with the strength of what was measured behind each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

import numpy as np

from cutline.captioners.pixels.colours import name_of
from cutline.captioners.pixels.grammar import Chooser, with_article
from cutline.captioners.pixels.judgement import Judgement
from cutline.captioners.pixels.measure import Measurements

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

Fact: TypeAlias = tuple[float, str, str]  # strength, tag, clause


def facts(found: Measurements, judged: Judgement, chooser: Chooser) -> list[Fact]:
    """The strongest facts first; a few at most for most pictures."""
    gathered = [*_light(found, judged, chooser), *_layout(found, chooser), *_lines(found, chooser)]
    gathered += _texture(found, judged, chooser)
    return sorted(gathered or [_plainest(found, chooser)], key=lambda fact: -fact[0])


def _light(found: Measurements, judged: Judgement, chooser: Chooser) -> Iterator[Fact]:
    light = found.light
    if light.backlit:
        yield (
            0.75,
            "backlit",
            chooser.pick(
                "dark shapes stand against a bright background", "the light comes from behind darker shapes"
            ),
        )
    if light.points >= (25 if light.median < 0.3 else 150) and light.bright < 0.75:
        yield (
            0.8,
            "points of light",
            chooser.pick(
                "small bright points are scattered through the dark",
                "many points of light stand out of the dark",
            ),
        )
    elif light.vignette > 0.16:
        yield (
            0.45 + light.vignette,
            "bright centre",
            chooser.pick(
                "the light gathers in the centre and falls off towards the edges",
                "the centre is clearly brighter than the edges",
            ),
        )
    elif light.vignette < -0.18:
        yield (
            0.4 - light.vignette,
            "dark centre",
            chooser.pick(
                "the centre is darker than its surroundings", "the surroundings are brighter than the centre"
            ),
        )
    if abs(found.structure.sideways) > 0.13:
        bright, dark = ("right", "left") if found.structure.sideways > 0 else ("left", "right")
        yield (
            0.3 + abs(found.structure.sideways),
            f"brighter {bright}",
            chooser.pick(
                f"the {bright} side is clearly brighter than the {dark}",
                f"it grows darker towards the {dark}",
            ),
        )
    if judged.contrast == "high":
        yield (
            0.5,
            "high contrast",
            chooser.pick(
                "contrast is strong, from deep shadow to near white", "deep shadows meet bright highlights"
            ),
        )
    elif judged.contrast == "low" and judged.kind != "plain":
        yield 0.5, "low contrast", chooser.pick("contrast is low", "its tones lie close together")


def _layout(found: Measurements, chooser: Chooser) -> Iterator[Fact]:
    structure = found.structure
    if structure.horizon is not None:
        where = _height(structure.horizon)
        open_above = structure.upper_edges < 0.6 * structure.lower_edges and 0.25 < structure.horizon < 0.8
        if open_above:
            yield (
                0.85,
                "horizon",
                chooser.pick(
                    f"a level edge crosses the frame {where}, like a horizon",
                    f"a horizon-like edge lies {where}",
                ),
            )
        else:
            yield (
                0.45,
                "level edge",
                chooser.pick(
                    f"a level edge crosses the frame {where}", f"a level line divides the frame {where}"
                ),
            )
    if structure.upright_split is not None:
        where = _breadth(structure.upright_split)
        yield (
            0.6,
            "vertical division",
            chooser.pick(
                f"an upright edge divides the frame {where}",
                f"an upright edge runs from top to bottom {where}",
            ),
        )
    if found.plain_rim > 0.8 and found.subject > 0.3 and structure.edges < 0.3:
        ground = with_article(f"even {found.rim_name}")
        yield (
            0.9,
            "plain background",
            chooser.pick(
                f"one central form stands out from {ground} background",
                f"the middle is set off against {ground} background",
            ),
        )
    if structure.mirrored > 0.9 and structure.horizon is None:
        yield (
            structure.mirrored - 0.25,
            "symmetrical",
            chooser.pick(
                "its left and right halves nearly mirror each other",
                "left and right are close to symmetrical",
            ),
        )
    if structure.reflected > 0.85:
        yield (
            structure.reflected - 0.2,
            "reflection",
            chooser.pick(
                "its upper and lower halves nearly mirror each other",
                "the lower half resembles a reflection of the upper",
            ),
        )
    if structure.repetition > 0.5:
        yield (
            structure.repetition,
            "pattern",
            chooser.pick(
                "similar shapes repeat at regular distances", "a regular pattern repeats across the frame"
            ),
        )


def _lines(found: Measurements, chooser: Chooser) -> Iterator[Fact]:
    structure = found.structure
    if structure.edges < 0.02:
        return
    if (
        structure.verticals + structure.horizontals > 0.62
        and min(structure.verticals, structure.horizontals) > 0.2
    ):
        yield (
            0.62,
            "rectangular lines",
            chooser.pick(
                "upright and level lines give it a rectangular order",
                "straight edges run mostly upright and level",
            ),
        )
    elif structure.verticals > 0.36:
        yield (
            structure.verticals + 0.2,
            "vertical lines",
            chooser.pick("upright lines lead the eye", "strong verticals structure the frame"),
        )
    elif structure.horizontals > 0.38:
        yield (
            structure.horizontals + 0.15,
            "horizontal lines",
            chooser.pick("level lines run through it", "horizontal lines calm the frame"),
        )
    elif structure.diagonals > 0.355:
        yield (
            structure.diagonals + 0.2,
            "diagonal lines",
            chooser.pick("diagonal lines run through it", "its lines run mostly on the diagonal"),
        )


def _texture(found: Measurements, judged: Judgement, chooser: Chooser) -> Iterator[Fact]:
    structure = found.structure
    if judged.texture == "busy":
        yield 0.3 + structure.edges / 2, "busy texture", chooser.pick(
            "fine detail fills most of the frame", "the frame is full of detail",
            "dense texture covers most of it",
        )  # fmt: skip
    elif structure.flat > 0.6 or judged.texture == "plain":
        yield (
            0.5,
            "smooth areas",
            chooser.pick(
                "large areas are smooth and empty of detail", "much of it is smooth and without detail"
            ),
        )
    upper, lower = structure.upper_edges, structure.lower_edges
    if max(upper, lower) > 0.08 and min(upper, lower) < 0.3 * max(upper, lower):
        smooth, full = ("upper", "lower") if upper < lower else ("lower", "upper")
        yield (
            0.72,
            f"weight in the {full} half",
            chooser.pick(
                f"the {smooth} half is smooth while the {full} is full of detail",
                f"nearly all detail lies in the {full} half",
                f"a smooth {smooth} half meets a detailed {full} one",
            ),
        )
        return
    where = _corner(structure.detail_x, structure.detail_y)
    if where:
        off = max(abs(structure.detail_x - 0.5), abs(structure.detail_y - 0.5))
        yield (
            0.3 + 2 * off,
            f"weight {where}",
            chooser.pick(f"most of the detail lies {where}", f"the visual weight lies {where}"),
        )


def _plainest(found: Measurements, chooser: Chooser) -> Fact:
    """What can be said of any picture, for one about which nothing else can."""
    darkest = name_of(np.array([found.light.dark, 0, 0], dtype=np.float32))[0]
    lightest = name_of(np.array([found.light.bright, 0, 0], dtype=np.float32))[0]
    if darkest == lightest:
        return (
            0.1,
            "even tones",
            chooser.pick("its tones hardly differ", "one tone prevails from edge to edge"),
        )
    return (
        0.1,
        "even detail",
        chooser.pick(
            f"tones range from {darkest} to {lightest}, and detail is spread evenly",
            f"its tones run from {darkest} to {lightest}, with no part outweighing the others",
            f"all parts of the frame hold detail, in tones from {darkest} to {lightest}",
        ),
    )


def _height(position: float) -> str:
    return _step(position, _HEIGHTS, "near the bottom")


def _breadth(position: float) -> str:
    return _step(position, _BREADTHS, "near the right edge")


def _step(position: float, steps: dict[float, str], beyond: str) -> str:
    return next((words for limit, words in steps.items() if position < limit), beyond)


def _corner(x: float, y: float) -> str:
    vertical = "upper" if y < 0.42 else "lower" if y > 0.58 else ""
    horizontal = "left" if x < 0.43 else "right" if x > 0.57 else ""
    if vertical and horizontal:
        return f"towards the {vertical} {horizontal}"
    if vertical:
        return f"in the {vertical} half"
    return f"towards the {horizontal}" if horizontal else ""
