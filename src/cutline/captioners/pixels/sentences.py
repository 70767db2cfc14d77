"""Measurements to English sentences."""

from __future__ import annotations

import re
from typing import Final

from cutline.captioners.pixels.colours import Swatch
from cutline.captioners.pixels.composition import Judgement, facts, judge
from cutline.captioners.pixels.grammar import Chooser, join, sentence, with_article
from cutline.captioners.pixels.measurements import Measurements

_PLURALS: Final = {
    "red": "reds", "orange": "oranges", "pink": "pinks", "brown": "browns", "yellow": "yellows",
    "green": "greens", "teal": "teals", "blue": "blues", "purple": "purples", "grey": "greys",
    "black": "black", "white": "white",
}  # fmt: skip
# "landscape photograph" and "portrait photograph" would claim a subject: the format is named otherwise.
_SHAPES: Final = {
    "landscape": "landscape-format|horizontal|wide", "portrait": "portrait-format|upright|vertical",
    "square": "square|square-format", "panorama": "panoramic|very wide", "tall": "tall, narrow|very tall",
}  # fmt: skip
_ADJECTIVES: Final = {
    "dark": "dark|low-key|shadowy", "dim": "dim|dusky|rather dark",
    "bright": "bright|light-filled|light-toned", "pale": "high-key|very light|pale",
    "black-and-white": "black-and-white|greyscale", "sepia": "sepia-toned",
    "one hue": "single-hued|near-monochrome", "muted": "muted|subdued",
    "vivid": "vivid|richly coloured|saturated", "warm": "warm|warm-toned", "cool": "cool|cool-toned",
}  # fmt: skip
_FOCUSES: Final = {
    "shallow": (
        ", sharp in one part and soft in the rest|, soft in most places"
        "|, sharp in places and soft in the rest"
    ),
    "soft": ", soft in focus|, soft and without hard edges",
}
_TAGS: Final = {
    "plain": "plain colour", "soft": "soft focus", "shallow": "shallow focus", "crisp": "sharp",
    "warm": "warm colours", "cool": "cool colours", "mixed": "",
}  # fmt: skip
# The clause, with the verb in the singular/plural, then the place alone.
_PLACES: Final = {
    "everywhere": ("covers/cover most of the frame|fills/fill most of it", "nearly everywhere"),
    "top": ("runs/run across the top|fills/fill the upper part", "across the top|above"),
    "bottom": ("runs/run along the bottom|fills/fill the lower part", "along the bottom|below"),
    "middle band": ("forms/form a band across the middle", "in a band across the middle"),
    "left": ("fills/fill the left side|takes/take up the left", "down the left side"),
    "right": ("fills/fill the right side|takes/take up the right", "down the right side"),
    "centre": ("holds/hold the centre|gathers/gather in the middle", "at the centre|in the middle"),
    "edges": ("frames/frame the picture|surrounds/surround the rest", "around the edges"),
    "upper left": ("holds/hold the upper left", "in the upper left|at upper left"),
    "upper right": ("holds/hold the upper right", "in the upper right|at upper right"),
    "lower left": ("holds/hold the lower left", "in the lower left|at lower left"),
    "lower right": ("holds/hold the lower right", "in the lower right|at lower right"),
    "upper middle": ("sits/sit above the centre", "above the centre"),
    "lower middle": ("sits/sit below the centre", "below the centre"),
    "middle left": ("sits/sit left of the centre", "left of the centre"),
    "middle right": ("sits/sit right of the centre", "right of the centre"),
    "upper part": ("takes/take up much of the upper half|prevails/prevail in the upper half",
                   "in the upper half|mostly above"),
    "lower part": ("takes/take up much of the lower half|prevails/prevail in the lower half",
                   "in the lower half|mostly below"),
    "left part": ("takes/take up much of the left half|prevails/prevail on the left",
                  "on the left|towards the left"),
    "right part": ("takes/take up much of the right half|prevails/prevail on the right",
                   "on the right|towards the right"),
    "scattered": (("runs/run through the whole frame|recurs/recur all over the frame"
                   "|is/are spread across the frame|makes/make up much of it"), "throughout|here and there"),
}  # fmt: skip


def long_caption(found: Measurements, shown: str = "") -> str:
    """Two or three sentences: kind of picture, colours and their places, composition.

    ``shown``: what a photograph shows, such as "a bus"; of drawings and pages nothing is recognised.
    """
    judged, chooser = judge(found), Chooser(found.flavour)
    opening = sentence(_with_object(_opening(found, judged, chooser), judged, shown))
    if judged.kind == "plain":
        return opening
    colours = sentence(_colours(found, chooser))
    clauses = [fact.clause(chooser) for fact in facts(found, judged)[:2]]
    return f"{opening} {colours} {sentence(chooser.pick(', and |; ').join(clauses))}"


def short_caption(found: Measurements, shown: str = "") -> str:
    """One sentence, for an alternative text; ``shown`` as in ``long_caption``."""
    judged = judge(found)
    return sentence(_with_object(_opening(found, judged, Chooser(found.flavour)), judged, shown))


def tags(found: Measurements, shown: str = "") -> list[str]:
    """Unique lower-case tags by decreasing relevance; ``shown`` is the name of what a photograph shows."""
    judged = judge(found)
    named = shown if judged.kind == "photograph" else ""
    contrast = f"{judged.contrast} contrast" if judged.contrast else ""
    shape, strongest = f"{judged.shape} format", [fact.tag for fact in facts(found, judged)[:3]]
    found_tags = [
        named, judged.kind, shape, judged.tone, judged.mood, judged.warmth, contrast, judged.focus,
        *(swatch.name for swatch in found.palette[:5]), *strongest,
    ]  # fmt: skip
    return [tag for tag in dict.fromkeys(_TAGS.get(tag, tag) for tag in found_tags) if tag]


def _with_object(opening: str, judged: Judgement, shown: str) -> str:
    return f"{opening}, showing {shown}" if shown and judged.kind == "photograph" else opening


def _opening(found: Measurements, judged: Judgement, chooser: Chooser) -> str:
    shape = chooser.pick(_SHAPES[judged.shape])
    if judged.kind == "plain":
        return f"{with_article(shape)} picture, filled evenly with {found.palette[0].name}"
    words = (judged.tone, judged.mood, judged.warmth)
    adjectives = [chooser.pick(_ADJECTIVES[word]) for word in words if word in _ADJECTIVES]
    if judged.focus == "crisp" and not (judged.tone or judged.mood):
        adjectives.append(chooser.pick("crisp|sharp|finely detailed"))
    if judged.kind == "page":
        noun, tail = "page", ", dark marks in rows on a light ground"
    elif judged.kind == "line drawing":
        noun, tail = "picture", ", thin dark lines on a white ground as in a drawing"
    elif judged.kind == "graphic":
        noun, tail = "graphic", f" of flat {_families(found)}"
    else:
        noun, tail = chooser.pick("photograph|photo"), ""
        if judged.mood != "black-and-white":
            tail = f"{chooser.pick(' in | dominated by | built from ')}{_families(found)}"
        if judged.focus in _FOCUSES:
            tail += chooser.pick(_FOCUSES[judged.focus])
    before = ", ".join(adjectives[:2])
    attributes = (", " if "," in shape else " ").join(filter(None, (before, shape)))
    return f"{with_article(f'{attributes} {noun}')}{tail}"


def _families(found: Measurements) -> str:
    """The leading colour families, at most three, in the plural where English has one."""
    weights: dict[str, float] = {}
    for swatch in found.palette:
        weights[swatch.family] = weights.get(swatch.family, 0.0) + swatch.weight
    leading = sorted(weights, key=lambda family: -weights[family])
    maximum = weights[leading[0]]
    return join([_PLURALS[family] for family in leading[:3] if weights[family] > 0.35 * maximum])


def _colours(found: Measurements, chooser: Chooser) -> str:
    """The largest colour with its place as a clause, then the others with theirs."""
    ranked = sorted(found.palette, key=lambda swatch: -swatch.weight)
    named = [swatch for swatch in ranked if swatch.share >= 0.03 or swatch.chroma > 0.1][:5]
    groups: dict[str, list[Swatch]] = {}
    for swatch in sorted(named or found.palette[:1], key=lambda swatch: -swatch.share):
        groups.setdefault(swatch.place, []).append(swatch)
    (place, swatches), *others = groups.items()
    several = len(swatches) > 1
    rest = re.sub(r"(\w+)/(\w+)", r"\2" if several else r"\1", chooser.pick(_PLACES[place][0]))
    clause = f"{_names(swatches)} {rest}"
    if others and {place, others[0][0]} == {"top", "bottom"}:
        end, next_swatches = others.pop(0)
        verb = "give" if several else "gives"
        clause = f"{_names(swatches)} {verb} way to {_names(next_swatches)} towards the {end}"
    with_others = [_aside(place, swatches, chooser) for place, swatches in others[:3]]
    return f"{clause}, with {join(with_others)}" if with_others else clause


def _names(swatches: list[Swatch]) -> str:
    """Their names, or the range from darkest to lightest for three or more of one family."""
    families = {swatch.family for swatch in swatches}
    if len(swatches) >= 3 and len(families) == 1:
        ordered = sorted(swatches, key=lambda swatch: swatch.lab[0])
        return f"{_PLURALS[families.pop()]} from {ordered[0].name} to {ordered[-1].name}"
    return join([swatch.name for swatch in swatches])


def _aside(place: str, swatches: list[Swatch], chooser: Chooser) -> str:
    where = f"{_names(swatches)} {chooser.pick(_PLACES[place][1])}"
    share = sum(swatch.share for swatch in swatches)
    if share > 0.02 and all(swatch.patch for swatch in swatches):
        return f"{chooser.pick('a patch|an area')} of {where}"
    return f"{chooser.pick('touches|small accents|hints')} of {where}" if share < 0.05 else where
