"""Turns measurements into English, and only into what the measurements carry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cutline.captioners.pixels.composition import facts
from cutline.captioners.pixels.grammar import Chooser, join, sentence, with_article
from cutline.captioners.pixels.judgement import Judgement, judge
from cutline.captioners.pixels.measure import Measurements
from cutline.captioners.pixels.palette import Swatch

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
    "tinted": ("single-hued", "tinted"),
    "muted": ("muted", "subdued"), "vivid": ("vivid", "richly coloured", "saturated"),
}  # fmt: skip
# Verb for one thing, verb for several, and the rest of the clause.
_PLACES: Final[dict[str, tuple[str, ...]]] = {
    "everywhere": ("covers|cover|nearly the whole frame", "fills|fill|nearly everything"),
    "top": ("runs|run|across the top", "fills|fill|the upper part", "stretches|stretch|along the top"),
    "bottom": ("runs|run|along the bottom", "fills|fill|the lower part",
               "stretches|stretch|across the bottom"),
    "middle band": ("forms|form|a band across the middle", "crosses|cross|the middle"),
    "left": ("fills|fill|the left side", "takes|take|up the left"),
    "right": ("fills|fill|the right side", "takes|take|up the right"),
    "centre": ("sits|sit|around the centre", "gathers|gather|in the middle", "lies|lie|near the centre"),
    "edges": ("frames|frame|the picture", "runs|run|around the edges"),
    "upper left": ("lies|lie|in the upper left", "marks|mark|the upper left"),
    "upper right": ("lies|lie|in the upper right", "marks|mark|the upper right"),
    "lower left": ("lies|lie|in the lower left", "marks|mark|the lower left"),
    "lower right": ("lies|lie|in the lower right", "marks|mark|the lower right"),
    "upper part": ("lies|lie|mostly in the upper half", "keeps|keep|mainly to the upper half"),
    "lower part": ("lies|lie|mostly in the lower half", "keeps|keep|mainly to the lower half"),
    "left part": ("lies|lie|mostly on the left", "keeps|keep|mainly to the left"),
    "right part": ("lies|lie|mostly on the right", "keeps|keep|mainly to the right"),
    "scattered": ("is|are|spread throughout", "recurs|recur|all over the frame", "appears|appear|throughout"),
}  # fmt: skip


def long_caption(found: Measurements) -> str:
    """Two or three sentences: what kind of picture, its colours and where they are, how it is built."""
    judged = judge(found)
    chooser = Chooser(found.flavour)
    parts = [_opening(found, judged, chooser)]
    if judged.kind != "plain":
        parts.append(_colours(found, chooser))
        parts.append(_composition(found, judged, chooser))
    return " ".join(sentence(part) for part in parts if part)


def short_caption(found: Measurements) -> str:
    """One sentence, as for an alternative text."""
    judged = judge(found)
    return sentence(_opening(found, judged, Chooser(found.flavour)))


def tags(found: Measurements) -> list[str]:
    """Lower-case words, the most telling first, none twice."""
    judged = judge(found)
    strongest = [tag for _, tag, _ in facts(found, judged, Chooser(found.flavour))[:3]]
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
    words = before if "," in shape else f"{before} {shape}".strip()
    return f"{with_article(f'{words} {noun}')}{tail}"


def _adjectives(judged: Judgement, chooser: Chooser) -> Iterator[str]:
    if judged.tone:
        yield chooser.pick(*_TONES[judged.tone])
    if judged.mood:
        yield chooser.pick(*_MOODS[judged.mood])
    if judged.warmth in {"warm", "cool"}:
        yield chooser.pick(judged.warmth, f"{judged.warmth}-toned")
    if judged.focus == "crisp":
        yield chooser.pick("crisp", "sharp")


def _manner(found: Measurements, judged: Judgement, chooser: Chooser) -> str:
    if judged.mood == "black-and-white":
        colours = ""
    else:
        colours = chooser.pick(" in {}", " dominated by {}", " built from {}").format(_families(found))
    if judged.focus == "shallow":
        return colours + chooser.pick(
            ", one part sharp and the rest out of focus", ", sharp in one place against a soft background"
        )
    if judged.focus == "soft":
        return colours + chooser.pick(", soft in focus", ", softly blurred")
    return colours


def _families(found: Measurements) -> str:
    """The leading colour families, at most three, in the plural where English has one."""
    shares: dict[str, float] = {}
    for swatch in found.palette:
        # A vivid colour counts for more than its area: it is what people name first.
        shares[swatch.family] = shares.get(swatch.family, 0.0) + swatch.share * (0.6 + 4 * swatch.chroma)
    leading = sorted(shares, key=lambda family: -shares[family])
    most = shares[leading[0]]
    return join([_PLURALS[family] for family in leading[:3] if shares[family] > 0.35 * most])


def _colours(found: Measurements, chooser: Chooser) -> str:
    main = [swatch for swatch in found.palette if swatch.share >= 0.05][:4]
    accents = [s for s in found.palette if s.share < 0.05 and s.chroma > 0.11 and s not in main][:1]
    groups: dict[str, list[Swatch]] = {}
    for swatch in main or list(found.palette[:1]):
        groups.setdefault(swatch.place, []).append(swatch)
    clauses = []
    for place, swatches in groups.items():
        one, several, rest = chooser.pick(*_PLACES[place]).split("|")
        verb = one if len(swatches) == 1 else several
        clauses.append(f"{join([swatch.name for swatch in swatches])} {verb} {rest}")
    for accent in accents:
        _, several, rest = _PLACES[accent.place][0].split("|")
        clauses.append(
            f"{chooser.pick('small touches', 'small accents', 'hints')} of {accent.name} {several} {rest}"
        )
    if len(clauses) > 1:
        return f"{', '.join(clauses[:-1])}, and {clauses[-1]}" if len(clauses) > 2 else " and ".join(clauses)
    return clauses[0]


def _composition(found: Measurements, judged: Judgement, chooser: Chooser) -> str:
    clauses = [clause for _, _, clause in facts(found, judged, chooser)[:2]]
    return chooser.pick(", and ", "; ").join(clauses)
