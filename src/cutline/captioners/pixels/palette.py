"""The palette of a picture: its main colours, their shares and places."""

from __future__ import annotations

import dataclasses
import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cutline.captioners.pixels.colours import Floats, name_of, to_oklab

_CLUSTERS: Final = 8
_ROUNDS: Final = 6
_SAME: Final = 0.045  # OKLab distance below which two clusters are one colour to the eye


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Swatch:
    """One colour of the palette. ``share`` of the picture's area; ``place`` is one of PLACES.

    ``patch``: it is compact. ``weight``: its share, increased for vivid colours.
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


PLACES: Final = (
    "everywhere", "top", "bottom", "middle band", "left", "right", "centre", "edges",
    "upper left", "upper right", "lower left", "lower right", "upper part", "lower part",
    "left part", "right part", "scattered", "upper middle", "lower middle", "middle left", "middle right",
)  # fmt: skip


def palette_of(rgb: NDArray[np.uint8]) -> tuple[Swatch, ...]:
    """The palette of a small picture, shape (height, width, 3), largest share first.

    Shares below 2 % are left out unless the colour is an accent: small, but far more vivid
    than the rest.
    """
    labels, centres = _cluster(rgb)
    groups: dict[str, list[int]] = {}
    for index, centre in enumerate(centres):
        groups.setdefault(name_of(centre)[0], []).append(index)
    swatches = []
    counts = np.bincount(labels.ravel(), minlength=len(centres))
    for name, members in groups.items():
        share = float(counts[members].sum()) / labels.size
        centre = np.average(centres[members], axis=0, weights=counts[members]).astype(np.float32)
        chroma = float(np.hypot(centre[1], centre[2]))
        if share < 0.02 and not (share > 0.004 and chroma > 0.11):
            continue
        mask = np.isin(labels, members)
        patch = share < 0.25 and _compact(mask)
        swatches.append(
            Swatch(
                name=name,
                family=name_of(centre)[1] if len(members) == 1 else name_of(centres[members[0]])[1],
                lab=(float(centre[0]), float(centre[1]), float(centre[2])),
                share=share,
                place=_cell(mask) if patch else _place(mask),
                patch=patch,
            )
        )
    return tuple(sorted(swatches, key=lambda swatch: (-swatch.share, swatch.name)))


def _cluster(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.int64], Floats]:
    """K-means in OKLab over the distinct colours (5 bits a channel), weighted by their counts."""
    wide = rgb.astype(np.int64) >> 3
    keys = (wide[..., 0] << 10) | (wide[..., 1] << 5) | wide[..., 2]
    counts = np.bincount(keys.ravel(), minlength=1 << 15)
    used = np.flatnonzero(counts)
    weights = counts[used].astype(np.float32)
    flat = rgb.reshape(-1, 3)
    sums = [
        np.bincount(keys.ravel(), weights=flat[:, channel], minlength=1 << 15)[used] for channel in range(3)
    ]
    points = to_oklab((np.stack(sums, axis=1) / weights[:, None]).astype(np.float32))
    centres = _seeds(points, weights)
    nearest = np.zeros(len(points), dtype=np.int64)
    for _ in range(_ROUNDS):
        nearest = ((points[:, None, :] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)
        total = np.bincount(nearest, weights=weights, minlength=len(centres))
        kept = total > 0
        moved = [
            np.bincount(nearest, weights=weights * points[:, k], minlength=len(centres)) for k in range(3)
        ]
        centres = centres.copy()
        centres[kept] = (np.stack(moved, axis=1)[kept] / total[kept, None]).astype(np.float32)
    nearest, centres = _merge(nearest, centres, weights)
    table = np.zeros(1 << 15, dtype=np.int64)
    table[used] = nearest
    return table[keys], centres


def _seeds(points: Floats, weights: Floats) -> Floats:
    """Start at the most frequent colour, then add the colour with the largest weighted distance."""
    chosen = [int(weights.argmax())]
    distance = ((points - points[chosen[0]]) ** 2).sum(axis=1)
    for _ in range(_CLUSTERS - 1):
        worst = distance * np.sqrt(weights)
        index = int(worst.argmax())
        if distance[index] < _SAME**2:
            break
        chosen.append(index)
        distance = np.minimum(distance, ((points - points[index]) ** 2).sum(axis=1))
    return points[chosen].copy()


def _merge(nearest: NDArray[np.int64], centres: Floats, weights: Floats) -> tuple[NDArray[np.int64], Floats]:
    total = np.bincount(nearest, weights=weights, minlength=len(centres))
    order = [int(index) for index in np.argsort(-total, kind="stable") if total[index] > 0]
    target: dict[int, int] = {}
    heads: list[int] = []
    for index in order:
        near = [head for head in heads if float(((centres[head] - centres[index]) ** 2).sum()) < _SAME**2]
        if near:
            target[index] = target[near[0]]
        else:
            target[index] = len(heads)
            heads.append(index)
    lookup = np.zeros(len(centres), dtype=np.int64)
    for index, head in target.items():
        lookup[index] = head
    return lookup[nearest], centres[heads]


def _place(mask: NDArray[np.bool_]) -> str:
    """The place of a colour, one of PLACES; bands must cover most of their area."""
    height, width = mask.shape
    total = int(mask.sum())
    if total > 0.75 * mask.size:
        return "everywhere"
    rows, columns = mask.mean(axis=1), mask.mean(axis=0)
    for profile, first, last in ((rows, "top", "bottom"), (columns, "left", "right")):
        side = _band(profile, first, last)
        if side:
            return side
    if _middle_band(rows):
        return "middle band"
    return _spot(mask, total, height, width)


def _band(profile: NDArray[np.float64], first: str, last: str) -> str:
    third = max(1, round(len(profile) * 0.34))
    half = max(1, len(profile) // 2)
    for name, ordered in ((first, profile), (last, profile[::-1])):
        total = float(ordered.sum())
        if float(ordered[:third].mean()) > 0.5 and float(ordered[:half].sum()) > 0.72 * total:
            return name
    return ""


def _middle_band(rows: NDArray[np.float64]) -> bool:
    quarter = max(1, len(rows) // 4)
    inner = rows[quarter:-quarter]
    return bool(len(inner) and inner.sum() > 0.85 * rows.sum() and np.sort(inner)[-quarter:].mean() > 0.6)


def _spot(mask: NDArray[np.bool_], total: int, height: int, width: int) -> str:
    inner = mask[height // 4 : height - height // 4, width // 4 : width - width // 4]
    if inner.sum() > 0.58 * total:
        return "centre"
    rim_y, rim_x = max(1, height // 7), max(1, width // 7)
    if mask[rim_y:-rim_y, rim_x:-rim_x].sum() < 0.25 * total:
        sides = (mask[:rim_y], mask[-rim_y:], mask[:, :rim_x], mask[:, -rim_x:])
        if all(float(side.sum()) > 0.12 * total for side in sides):
            return "edges"
    half_y, half_x = height // 2, width // 2
    upper = float(mask[:half_y].sum()) / total
    left = float(mask[:, :half_x].sum()) / total
    vertical = "upper" if upper > 0.7 else "lower" if upper < 0.3 else ""
    horizontal = "left" if left > 0.7 else "right" if left < 0.3 else ""
    if vertical and horizontal:
        return f"{vertical} {horizontal}"
    if vertical or horizontal:
        return f"{vertical or horizontal} part"
    return "scattered"


def _compact(mask: NDArray[np.bool_]) -> bool:
    return all(
        float(np.std(where)) < 0.16 * side for where, side in zip(np.nonzero(mask), mask.shape, strict=True)
    )


def _cell(mask: NDArray[np.bool_]) -> str:
    """The ninth of the picture with the centre of a patch."""
    y, x = (float(np.median(where)) / side for where, side in zip(np.nonzero(mask), mask.shape, strict=True))
    vertical = "upper" if y < 0.36 else "lower" if y > 0.64 else "middle"
    horizontal = "left" if x < 0.36 else "right" if x > 0.64 else "middle"
    return "centre" if vertical == horizontal else f"{vertical} {horizontal}"
