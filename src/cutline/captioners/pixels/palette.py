"""The palette of a picture: its main colours, their shares and places."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cutline.captioners.pixels.colours import Floats, name_of, to_oklab

_CLUSTERS: Final = 8
_ROUNDS: Final = 6
_SAME: Final = 0.045**2  # squared OKLab distance below which two clusters are one colour to the eye


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


def core(values: NDArray[Any]) -> NDArray[Any]:
    """The middle half of both sides."""
    y, x = values.shape[0] // 4, values.shape[1] // 4
    return values[y : len(values) - y, x : values.shape[1] - x]


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
