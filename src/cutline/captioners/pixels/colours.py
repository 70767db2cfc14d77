"""Main colours, and their names by distance in OKLab."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cutline.captioners.pixels.grammar import word_below
from cutline.measures.light import core
from cutline.measures.oklab import Floats, to_oklab

_CLUSTERS: Final = 8
_ROUNDS: Final = 6
_SAME: Final = 0.045**2  # squared OKLab distance below which two clusters are one colour to the eye

# By family: each name with several points, as colour words cover regions.
_NAMED: Final = {
    "red": """
        red ff0000 e0211b d62828 c81d25, crimson b3122f 9e1030, dark red 8b0000 7a1515, maroon 5c0f1a
        45101c 800000, brick red a0412d 96392f 8d3a33, oxblood 3c1212 2e1014""",
    "orange": """
        orange ff7f00 ffa500 f5871f ff8c1a, burnt orange cc5500 d2601a, rust b04a1e 9a4520, amber e8a020
        d98e16, apricot fbb27a f7b98b, terracotta c8705a c4684a b86a50, copper b0713e a9683f""",
    "pink": """
        pink ff9ec4 f48fb1 ffc0cb f08cae, pale pink f8d5da f3cfd0 f5dbe2, hot pink ff3d9a ff69b4 e8338b,
        rose d75b7a c9506d e0708c, dusty pink c9979b c08a90 d0a4a6, coral ff6f59 ff7f50 f2745f, salmon
        f09a80 fa8072 e79585, peach ffcba4 fad0b5 f8d8c0, magenta ff00ff d81fa8 e022c8, raspberry b01e5e
        a51c52""",
    "brown": """
        brown 8b5a2b 7b4a28 855032 964b00, dark brown 4a2f1c 3f2818 543622, deep brown 2c1c12 241812
        34221a, reddish brown 6e3426 7d4030 5b2c20, golden brown b07d3a a8762f b98845, tan d2b48c c8a67a
        cda882, beige e3d5b8 d9c7a8 e5d6c0, sand dcc08a d4b886 e0c898, taupe 8a7866 7c6b5c 988674, olive
        brown 5c4a20 6b5a2c 4a3d1c, ochre cc8f2a c28a30, khaki b3a06c a8976a beac7c""",
    "yellow": """
        yellow ffff00 ffe11a f8d820 fff04a, golden yellow ffc61a f4c430 f7b500 ffd700, gold d4af37
        c9a227, pale yellow fff3b0 f8eeb2 fbf3c4, mustard c9a020 b8962a c2a23a, cream fff3d6 f8ecd0
        fbf0dc, straw e4d284 dccb7a, chartreuse c8e020 b8d42a""",
    "green": """
        green 00a000 228b22 2e9a3a 3aa53a, bright green 00ff00 3ae03a 45d24a, dark green 0f4d1a 14532d
        1d4a22 006400, deep green 0c2e14 122a16 17301a, lime green 84d420 9be02a 7fe01f, leaf green
        5fa03a 6a9a34 55903a, pale green c4e6b8 b6dcae d2ecc8, mint a6e8c8 98e0c0 b4ecd4, olive green
        6f7a2c 5f6a28 7c8438 8a8f45, olive 808000 757020 6b6818, dark olive 3a3d18 2f3214 434522, sage
        9aa886 8c9c7a a6b294, moss green 6a7a42 5c6c3a, sea green 2e8b57 389a6a, emerald 10a060 0a9058,
        grey-green 74806a 66725e 5a6656, dark grey-green 3c4638 333c30 2a3228, yellow-green a8c03a
        b4c85a 9cb43c""",
    "teal": """
        teal 008080 0f7a78 1a8a86, dark teal 0c4a4c 104044 14363a, turquoise 30d0c4 40e0d0 22c2b8, cyan
        00ffff 10e4ee 30e8f0, aqua 74dcdc 82e4e0 68d0d2, pale aqua c4ecec b8e4e4 d2f0ee, grey-teal
        6a8a8a 5c7c7e 7c9a9a, deep teal 0a2e32 0e282c""",
    "blue": """
        blue 0000ff 1f4fd8 2454c8 2a5cb8, bright blue 1e7bff 1a8cff 2a90f0, light blue 7fc0f0 8cc8f2
        74b4e8, pale blue bcdcf2 c8e2f4 b4d4ec d4e6f4, sky blue 56b0e8 4aa4e0 60b8ea, deep blue 10308a
        14347c 0f2f70, navy 0c1a4a 10204a 000080 0a1638, midnight blue 0a1028 0d1530 101c3a, steel blue
        4a7aa4 4682b4 54809e, slate blue 5a6c8c 64789a 506488, dark slate blue 2c3a54 26344a 344462,
        grey-blue 8098b0 8ca2b8 7890a8, pale grey-blue b8c8d8 c2d0de aebfd0, denim blue 3a5a8c 34548a,
        periwinkle 8c9cf0 98a6ec, dark blue 14284c 1a3258 1c2f60""",
    "purple": """
        purple 800080 7b2fa0 8a35b0 6f2a94, deep purple 3c1a5b 34164e 2c1444, violet 8a4bff 7a40e0
        9a5af0, lavender b9a7e0 c2b0e6 ac9cd6, pale lavender dcd5ee d6cfea e4def2, lilac d0a8dc c89ed4,
        plum 6b2a5b 5e2450 7a3068, mauve a783a5 9a7898 b08cac, indigo 36308a 302a78 3f2a90, dusky purple
        5a4a6c 665578 4e4060, dark plum 331a30 2a1628 3a2034""",
}

_GREYS: Final = {
    0.21: "black", 0.30: "near-black", 0.42: "charcoal", 0.55: "dark grey", 0.72: "grey",
    0.84: "light grey", 0.93: "pale grey", 0.975: "off-white", math.inf: "white",
}  # fmt: skip
_WARM_GREYS: Final = {
    0.30: "warm black", 0.45: "warm charcoal", 0.72: "warm grey", 0.88: "pale warm grey", math.inf: "ivory",
}  # fmt: skip
_WHITES: Final = ("white", "ivory")
_COOL_GREYS: Final = {
    0.30: "blue-black", 0.45: "slate", 0.72: "cool grey", 0.88: "pale cool grey", math.inf: "cool white",
}  # fmt: skip


_POINTS: Final = [
    (name.strip(), family, list(bytes.fromhex(code)))
    for family, line in _NAMED.items()
    for name, codes in re.findall(r"([a-z -]+?)((?: [0-9a-f]{6})+)", " ".join(line.split()))
    for code in codes.split()
]
_ANCHORS: Final = to_oklab(np.array([rgb for _, _, rgb in _POINTS], dtype=np.uint8))
# Hue decides a colour's name more than lightness does.
_WEIGHTS: Final = np.array([0.75, 1.5, 1.5], dtype=np.float32)


def name_of(lab: Floats) -> tuple[str, str]:
    """The colour's name and its family (red, orange, ... or black, grey, white), of one OKLab value."""
    lightness, a, b = (float(value) for value in lab)
    chroma = math.hypot(a, b)
    # Tints are hardly visible near black and white.
    visible = 0.017 + 0.045 * max(0.0, 0.36 - lightness) / 0.36 + 0.004 * max(0.0, lightness - 0.9) / 0.1
    if lightness >= 0.17 and chroma >= visible:
        name, family, _ = _POINTS[int((((_ANCHORS - lab) * _WEIGHTS) ** 2).sum(axis=1).argmin())]
        return name, family
    greys = _GREYS
    if chroma > 0.010 and 0.17 < lightness < 0.975:
        greys = _WARM_GREYS if b > abs(a) * 0.5 else _COOL_GREYS if b < 0 else _GREYS
    name = word_below(lightness, greys)
    return name, "black" if name.endswith("black") else "white" if name.endswith(_WHITES) else "grey"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Swatch:
    """One colour of the palette.

    ``share`` of the picture's area; ``place`` is a side, corner, part or band, "centre", "edges",
    "everywhere" or "scattered"; a ``patch`` is compact; ``weight`` is the share, increased for vivid colours.
    """

    name: str
    family: str
    share: float
    lab: tuple[float, float, float]
    place: str
    patch: bool

    @property
    def chroma(self) -> float:
        return math.hypot(self.lab[1], self.lab[2])

    @property
    def weight(self) -> float:
        return self.share * (0.5 + 6 * self.chroma)


def palette_of(rgb: NDArray[np.uint8]) -> tuple[Swatch, ...]:
    """The palette of a small picture, shape (height, width, 3), largest share first.

    Shares below 2 % are left out unless the colour is an accent: small, but far more vivid
    than the rest.
    """
    labels, centres = _cluster(rgb)
    counts = np.bincount(labels.ravel(), minlength=len(centres))
    named = [name_of(centre) for centre in centres]
    swatches = []
    for name, family in dict.fromkeys(named):
        members = [index for index, other in enumerate(named) if other == (name, family)]
        share = float(counts[members].sum()) / labels.size
        lightness, a, b = np.average(centres[members], axis=0, weights=counts[members]).tolist()
        if share < 0.02 and not (share > 0.004 and math.hypot(a, b) > 0.11):
            continue
        mask = np.isin(labels, members)
        patch = share < 0.25 and _compact(mask)
        place = _cell(mask) if patch else _place(mask)
        lab = (lightness, a, b)
        swatches.append(Swatch(name=name, family=family, lab=lab, share=share, place=place, patch=patch))
    return tuple(sorted(swatches, key=lambda swatch: (-swatch.share, swatch.name)))


def _cluster(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.int64], Floats]:
    """K-means in OKLab over the distinct colours (5 bits a channel), weighted by their counts."""
    keys = (rgb.astype(np.int64) >> 3) @ np.array((1 << 10, 1 << 5, 1))
    _, bins, counts = np.unique(keys.ravel(), return_inverse=True, return_counts=True)
    weights = counts.astype(np.float32)
    points = to_oklab(_means(rgb.reshape(-1, 3), bins, 1, counts))
    centres = _seeds(points, weights)
    for _ in range(_ROUNDS):
        nearest = ((points[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
        total = np.bincount(nearest, weights=weights, minlength=len(centres))
        centres = np.where(total[:, None] > 0, _means(points, nearest, weights, total), centres)
    lookup, centres = _merge(centres, total)
    return lookup[nearest][bins].reshape(keys.shape), centres


def _means(values: NDArray[Any], labels: NDArray[np.int64], weights: Any, total: NDArray[Any]) -> Floats:
    """The mean of the rows of ``values`` with each label; ``total`` is the sum of weights by label."""
    sums = [np.bincount(labels, row, len(total)) for row in values.T * weights]
    means: Floats = (np.stack(sums, axis=1) / np.maximum(total, 1)[:, None]).astype(np.float32)
    return means


def _seeds(points: Floats, weights: Floats) -> Floats:
    """Start at the most frequent colour, then add the colour with the largest weighted distance."""
    chosen = [int(weights.argmax())]
    distance = ((points - points[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < _CLUSTERS:
        index = int((distance * np.sqrt(weights)).argmax())
        if distance[index] < _SAME:
            break
        chosen.append(index)
        distance = np.minimum(distance, ((points - points[index]) ** 2).sum(axis=1))
    return points[chosen]


def _merge(centres: Floats, total: NDArray[Any]) -> tuple[NDArray[np.int64], Floats]:
    """Join each cluster to a larger one of the same colour. Returns new labels and centres."""
    lookup = np.zeros(len(centres), dtype=np.int64)
    heads: list[int] = []
    for index in np.argsort(-total, kind="stable")[: np.count_nonzero(total)].tolist():
        near = np.flatnonzero(((centres[heads] - centres[index]) ** 2).sum(axis=1) < _SAME)
        lookup[index] = near[0] if near.size else len(heads)
        if not near.size:
            heads.append(index)
    return lookup, centres[heads]


def _place(mask: NDArray[np.bool_]) -> str:
    """The place of a colour; bands must cover most of their area."""
    total, (height, width) = int(mask.sum()), mask.shape
    if total > 0.75 * mask.size:
        return "everywhere"
    if band := _band(mask.mean(axis=1), mask.mean(axis=0)):
        return band
    if core(mask).sum() > 0.58 * total:
        return "centre"
    y, x = max(1, height // 7), max(1, width // 7)
    rims = (mask[:y], mask[-y:], mask[:, :x], mask[:, -x:])
    if mask[y:-y, x:-x].sum() < 0.25 * total and all(rim.sum() > 0.12 * total for rim in rims):
        return "edges"
    vertical = side(1 - float(mask[: height // 2].sum()) / total, 0.3, "upper|lower")
    horizontal = side(1 - float(mask[:, : width // 2].sum()) / total, 0.3, "left|right")
    if vertical and horizontal:
        return f"{vertical} {horizontal}"
    return f"{vertical or horizontal} part" if vertical or horizontal else "scattered"


def _band(rows: Floats, columns: Floats) -> str:
    """The side, or the band across the middle, with nearly all of a colour, by its share of each line."""
    sides = {"top": rows, "bottom": rows[::-1], "left": columns, "right": columns[::-1]}
    for name, lines in sides.items():
        third, half = lines[: max(1, round(len(lines) * 0.34))], lines[: max(1, len(lines) // 2)]
        if third.mean() > 0.5 and half.sum() > 0.72 * lines.sum():
            return name
    quarter = max(1, len(rows) // 4)
    inner = rows[quarter:-quarter]
    across = len(inner) and inner.sum() > 0.85 * rows.sum() and np.sort(inner)[-quarter:].mean() > 0.6
    return "middle band" if across else ""


def side(position: float, limit: float, names: str) -> str:
    """The first of two names for a position under ``limit``, the second as far from 1, "" between."""
    first, _, second = names.partition("|")
    return first if position < limit else second if position > 1 - limit else ""


def _compact(mask: NDArray[np.bool_]) -> bool:
    return all(bool(where.std() < 0.16 * n) for where, n in zip(mask.nonzero(), mask.shape, strict=True))


def _cell(mask: NDArray[np.bool_]) -> str:
    """The ninth of the picture with the centre of a patch."""
    y, x = (float(np.median(where)) / n for where, n in zip(mask.nonzero(), mask.shape, strict=True))
    vertical, horizontal = side(y, 0.36, "upper|lower"), side(x, 0.36, "left|right")
    return f"{vertical or 'middle'} {horizontal or 'middle'}" if vertical or horizontal else "centre"
