"""The thresholds from measurements to words."""

from __future__ import annotations

import dataclasses

from cutline.captioners.pixels.measurements import Measurements


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Words for a picture as a whole; an empty string where none applies.

    ``shape``: landscape, portrait, square, panorama, tall. ``kind``: photograph, graphic,
    line drawing, page, plain. ``tone``: dark, dim, bright, pale, "". ``mood``: black-and-white,
    sepia, one hue, muted, vivid, "". ``warmth``: warm, cool, mixed, "". ``focus``: shallow, soft, crisp, "".
    ``contrast``: high, low, "". ``texture``: plain, busy, "".
    """

    shape: str
    kind: str
    tone: str
    mood: str
    warmth: str
    focus: str
    contrast: str
    texture: str


def judge(found: Measurements) -> Judgement:
    kind = _kind(found)
    mood = _mood(found)
    return Judgement(
        shape=_shape(found.width / found.height),
        kind=kind,
        tone=_tone(found),
        mood=mood,
        warmth=_warmth(found) if mood not in {"black-and-white", "sepia"} else "",
        focus=_focus(found) if kind == "photograph" else "",
        contrast=_contrast(found),
        texture="busy" if found.structure.edges > 0.34 else "plain" if found.structure.edges < 0.035 else "",
    )


def _shape(aspect: float) -> str:
    if aspect >= 2.0:
        return "panorama"
    if aspect > 1.06:
        return "landscape"
    if aspect >= 0.94:
        return "square"
    return "portrait" if aspect > 0.5 else "tall"


def _kind(found: Measurements) -> str:
    structure, palette = found.structure, found.palette
    if structure.edges < 0.0005 and structure.flat > 0.97 and len(palette) == 1:
        return "plain"
    light_paper = structure.paper > 0.5 and found.colour.chroma < 0.03 and found.light.median > 0.62
    if light_paper and 0.04 < structure.ink < 0.3 and structure.strokes > 0.21:
        return "page"
    if light_paper and structure.paper > 0.9 and structure.even > 0.6 and 0.002 < structure.ink < 0.08:
        return "line drawing"
    covered = sum(swatch.share for swatch in palette)
    if structure.even > 0.6 and covered > 0.85:
        return "graphic"
    return "photograph"


def _tone(found: Measurements) -> str:
    light = found.light
    if light.median < 0.34 and light.bright < 0.92:
        return "dark"
    if light.median < 0.30:
        return "dark"
    if light.median < 0.42 and light.bright < 0.85:
        return "dim"
    if light.median > 0.82 and light.dark > 0.55:
        return "pale"
    if light.median > 0.76:
        return "bright"
    return ""


def _mood(found: Measurements) -> str:
    colour = found.colour
    if colour.tinted < 0.02 and colour.chroma < 0.012:
        return "black-and-white"
    if colour.one_hue > 0.985 and colour.tinted > 0.5 and 0.02 < colour.chroma < 0.09:
        toned = colour.one_hue > 0.995 and found.light.bright - found.light.dark > 0.5
        return "sepia" if toned and 55 < colour.hue < 95 else "one hue"
    if colour.chroma > 0.105:
        return "vivid"
    if colour.chroma < 0.032:
        return "muted"
    return ""


def _warmth(found: Measurements) -> str:
    colour = found.colour
    if colour.tinted < 0.2:
        return ""
    if colour.warmth > 0.75:
        return "warm"
    if colour.warmth < -0.55:
        return "cool"
    return "mixed" if abs(colour.warmth) < 0.45 and colour.tinted > 0.4 else ""


def _focus(found: Measurements) -> str:
    structure = found.structure
    if structure.blurred > 0.6 and structure.sharpest < 0.95:
        return "soft"
    if structure.blurred > 0.42:
        return "shallow"
    return "crisp" if structure.sharpness > 0.85 and structure.blurred < 0.15 else ""


def _contrast(found: Measurements) -> str:
    reach = found.light.bright - found.light.dark
    if reach > 0.72 and found.light.spread > 0.24:
        return "high"
    return "low" if reach < 0.32 else ""
