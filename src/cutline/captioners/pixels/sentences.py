"""Measurements to English sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cutline.captioners.pixels.composition import facts
from cutline.captioners.pixels.grammar import Chooser, join, sentence, with_article
from cutline.captioners.pixels.measurements import Measurements
from cutline.captioners.pixels.palette import Swatch
from cutline.captioners.pixels.thresholds import Judgement, judge

_PLURALS: Final = {
    "red": "reds", "orange": "oranges", "pink": "pinks", "brown": "browns", "yellow": "yellows",
    "green": "greens", "teal": "teals", "blue": "blues", "purple": "purples", "grey": "greys",
    "black": "black", "white": "white",
}  # fmt: skip
# "landscape photograph" and "portrait photograph" would claim a subject: the format is named otherwise.
_SHAPES: Final = {
    "landscape": ("landscape-format", "horizontal", "wide"),
    "portrait": ("portrait-format", "upright", "vertical"),
    "square": ("square", "square-format"), "panorama": ("panoramic", "very wide"),
    "tall": ("tall, narrow", "very tall"),
}  # fmt: skip
_TONES: Final = {
    "dark": ("dark", "low-key", "shadowy"), "dim": ("dim", "dusky", "rather dark"),
    "bright": ("bright", "light-filled", "light-toned"), "pale": ("high-key", "very light", "pale"),
}  # fmt: skip
_MOODS: Final = {
    "black-and-white": ("black-and-white", "greyscale"), "sepia": ("sepia-toned",),
    "one hue": ("single-hued", "near-monochrome"),
    "muted": ("muted", "subdued"), "vivid": ("vivid", "richly coloured", "saturated"),
}  # fmt: skip
# "singular verb|plural verb|rest of the clause"; then the place alone.
_PLACES: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "everywhere": (("covers|cover|most of the frame", "fills|fill|most of it"), ("nearly everywhere",)),
    "top": (("runs|run|across the top", "fills|fill|the upper part"), ("across the top", "above")),
    "bottom": (("runs|run|along the bottom", "fills|fill|the lower part"), ("along the bottom", "below")),
    "middle band": (("forms|form|a band across the middle",), ("in a band across the middle",)),
    "left": (("fills|fill|the left side", "takes|take|up the left"), ("down the left side",)),
    "right": (("fills|fill|the right side", "takes|take|up the right"), ("down the right side",)),
    "centre": (("holds|hold|the centre", "gathers|gather|in the middle"), ("at the centre", "in the middle")),
    "edges": (("frames|frame|the picture", "surrounds|surround|the rest"), ("around the edges",)),
    "upper left": (("holds|hold|the upper left",), ("in the upper left", "at upper left")),
    "upper right": (("holds|hold|the upper right",), ("in the upper right", "at upper right")),
    "lower left": (("holds|hold|the lower left",), ("in the lower left", "at lower left")),
    "lower right": (("holds|hold|the lower right",), ("in the lower right", "at lower right")),
    "upper middle": (("sits|sit|above the centre",), ("above the centre",)),
    "lower middle": (("sits|sit|below the centre",), ("below the centre",)),
    "middle left": (("sits|sit|left of the centre",), ("left of the centre",)),
    "middle right": (("sits|sit|right of the centre",), ("right of the centre",)),
    "upper part": (("takes|take|up much of the upper half", "prevails|prevail|in the upper half"),
                   ("in the upper half", "mostly above")),
    "lower part": (("takes|take|up much of the lower half", "prevails|prevail|in the lower half"),
                   ("in the lower half", "mostly below")),
    "left part": (("takes|take|up much of the left half", "prevails|prevail|on the left"),
                  ("on the left", "towards the left")),
    "right part": (("takes|take|up much of the right half", "prevails|prevail|on the right"),
                   ("on the right", "towards the right")),
    "scattered": (("runs|run|through the whole frame", "recurs|recur|all over the frame",
                   "is|are|spread across the frame", "makes|make|up much of it"),
                  ("throughout", "here and there")),
}  # fmt: skip


def long_caption(found: Measurements) -> str:
    """Two or three sentences: kind of picture, colours and their places, composition."""
    judged = judge(found)
    chooser = Chooser(found.flavour)
    parts = [_opening(found, judged, chooser)]
    if judged.kind != "plain":
        parts.append(_colours(found, chooser))
        parts.append(_composition(found, judged, chooser))
    return " ".join(sentence(part) for part in parts if part)


def short_caption(found: Measurements) -> str:
    """One sentence, for an alternative text."""
    judged = judge(found)
    return sentence(_opening(found, judged, Chooser(found.flavour)))


def tags(found: Measurements) -> list[str]:
    """Unique lower-case tags by decreasing relevance."""
    judged = judge(found)
    strongest = [fact.tag for fact in facts(found, judged)[:3]]
    focus = {"soft": "soft focus", "shallow": "shallow focus", "crisp": "sharp"}.get(judged.focus, "")
    contrast = f"{judged.contrast} contrast" if judged.contrast else ""
    warmth = {"warm": "warm colours", "cool": "cool colours"}.get(judged.warmth, "")
    kind = "plain colour" if judged.kind == "plain" else judged.kind
    found_tags = [
        kind, f"{judged.shape} format", judged.tone, judged.mood, warmth, contrast, focus,
        *(swatch.name for swatch in found.palette[:5]), *strongest,
    ]  # fmt: skip
    return list(dict.fromkeys(tag for tag in found_tags if tag))


def _opening(found: Measurements, judged: Judgement, chooser: Chooser) -> str:
    shape = chooser.pick(*_SHAPES[judged.shape])
    if judged.kind == "plain":
        return f"{with_article(shape)} picture, filled evenly with {found.palette[0].name}"
    adjectives = list(_adjectives(judged, chooser))
    if judged.kind == "page":
        noun, tail = "page", ", dark marks in rows on a light ground"
    elif judged.kind == "line drawing":
        noun, tail = "picture", ", thin dark lines on a white ground as in a drawing"
    elif judged.kind == "graphic":
        noun, tail = "graphic", f" of flat {_families(found)}"
    else:
        noun, tail = chooser.pick("photograph", "photo"), _manner(found, judged, chooser)
    before = ", ".join([*adjectives[:2], shape] if "," in shape else adjectives[:2])
    attributes = before if "," in shape else f"{before} {shape}".strip()
    return f"{with_article(f'{attributes} {noun}')}{tail}"


def _adjectives(judged: Judgement, chooser: Chooser) -> Iterator[str]:
    if judged.tone:
        yield chooser.pick(*_TONES[judged.tone])
    if judged.mood:
        yield chooser.pick(*_MOODS[judged.mood])
    if judged.warmth in {"warm", "cool"}:
        yield chooser.pick(judged.warmth, f"{judged.warmth}-toned")
    if judged.focus == "crisp" and not judged.tone and not judged.mood:
        yield chooser.pick("crisp", "sharp", "finely detailed")


def _manner(found: Measurements, judged: Judgement, chooser: Chooser) -> str:
    if judged.mood == "black-and-white":
        colours = ""
    else:
        colours = chooser.pick(" in {}", " dominated by {}", " built from {}").format(_families(found))
    if judged.focus == "shallow":
        return colours + chooser.pick(
            ", sharp in one part and soft in the rest",
            ", soft in most places",
            ", sharp in places and soft in the rest",
        )
    if judged.focus == "soft":
        return colours + chooser.pick(", soft in focus", ", soft and without hard edges")
    return colours


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
    named = [swatch for swatch in ranked if swatch.share >= 0.03 or swatch.chroma > 0.1][:5] or list(
        found.palette[:1]
    )
    groups: dict[str, list[Swatch]] = {}
    for swatch in sorted(named, key=lambda swatch: -swatch.share):
        groups.setdefault(swatch.place, []).append(swatch)
    first, *others = groups.items()
    clause = _main_clause(*first, chooser)
    pair = {first[0], others[0][0]} if others else set()
    if pair == {"top", "bottom"}:
        below = _names(others[0][1])
        verb = "gives" if len(first[1]) == 1 else "give"
        ends = {"bottom": "towards the bottom", "top": "towards the top"}
        clause = f"{_names(first[1])} {verb} way to {below} {ends[others.pop(0)[0]]}"
    with_others = [_aside(place, swatches, chooser) for place, swatches in others[:3]]
    return f"{clause}, with {join(with_others)}" if with_others else clause


def _names(swatches: list[Swatch]) -> str:
    """Their names, or the range from darkest to lightest for three or more of one family."""
    families = {swatch.family for swatch in swatches}
    if len(swatches) >= 3 and len(families) == 1:
        ordered = sorted(swatches, key=lambda swatch: swatch.lab[0])
        return f"{_PLURALS[families.pop()]} from {ordered[0].name} to {ordered[-1].name}"
    return join([swatch.name for swatch in swatches])


def _main_clause(place: str, swatches: list[Swatch], chooser: Chooser) -> str:
    one, several, rest = chooser.pick(*_PLACES[place][0]).split("|")
    return f"{_names(swatches)} {one if len(swatches) == 1 else several} {rest}"


def _aside(place: str, swatches: list[Swatch], chooser: Chooser) -> str:
    where = chooser.pick(*_PLACES[place][1])
    names = _names(swatches)
    if all(swatch.patch for swatch in swatches) and sum(swatch.share for swatch in swatches) > 0.02:
        return f"{chooser.pick('a patch', 'an area')} of {names} {where}"
    if sum(swatch.share for swatch in swatches) < 0.05:
        return f"{chooser.pick('touches', 'small accents', 'hints')} of {names} {where}"
    return f"{names} {where}"


def _composition(found: Measurements, judged: Judgement, chooser: Chooser) -> str:
    clauses = [fact.clause(chooser) for fact in facts(found, judged)[:2]]
    return chooser.pick(", and ", "; ").join(clauses)
