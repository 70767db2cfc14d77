"""Structure from lightness: focus, texture, lines, bands, symmetry, repetition, weight."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cutline.captioners.pixels.colours import Floats

_CELLS: Final = 12
_EDGE: Final = 0.05  # minimum lightness step, 0..1, between neighbouring pixels of an edge


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """Shares are of the picture's area, 0..1; positions run from 0 (top, left) to 1.

    ``flat`` pixels hardly differ from their neighbours, ``even`` ones not at all. ``sharpness`` is about 1
    for crisp detail and under 0.35 for few or soft edges; ``sharpest`` about 1 where the hardest edges
    are hard; ``blurred`` the share of soft parts among those with contrast. ``upper_edges`` and
    ``lower_edges`` compare the halves; ``sideways`` is the right half's lightness minus the left's.
    ``horizon`` and ``upright_split`` are positions of one edge across the whole picture, or None.
    """

    edges: float
    flat: float
    even: float
    upper_edges: float
    lower_edges: float
    sideways: float
    sharpness: float
    sharpest: float
    blurred: float
    detail_x: float
    detail_y: float
    verticals: float
    horizontals: float
    diagonals: float
    horizon: float | None
    upright_split: float | None
    mirrored: float
    reflected: float
    repetition: float
    ink: float
    paper: float
    strokes: float


def structure_of(luma: Floats) -> Structure:
    """Measure the lightness 0..1 of a picture, longest side about 384 pixels."""
    dy = np.diff(luma, axis=0, append=luma[-1:])
    dx = np.diff(luma, axis=1, append=luma[:, -1:])
    size = np.maximum(np.abs(dx), np.abs(dy))
    sharpness, sharpest, blurred = _focus(luma)
    half_y, half_x = max(1, luma.shape[0] // 2), max(1, luma.shape[1] // 2)
    verticals, horizontals, diagonals = _directions(dx, dy)
    small = _shrink(luma, 48)
    ink, paper, strokes = _ink(luma)
    detail = _shrink(size, 8)
    detail_x, detail_y = _middle(detail.sum(axis=0)), _middle(detail.sum(axis=1))
    return Structure(
        edges=float((size > _EDGE).mean()),
        flat=float((size < 1.5 / 255).mean()),
        even=float((size < 0.5 / 255).mean()),
        upper_edges=float((size[:half_y] > _EDGE).mean()),
        lower_edges=float((size[-half_y:] > _EDGE).mean()),
        sideways=float(luma[:, -half_x:].mean() - luma[:, :half_x].mean()),
        sharpness=sharpness,
        sharpest=sharpest,
        blurred=blurred,
        detail_x=detail_x,
        detail_y=detail_y,
        verticals=verticals,
        horizontals=horizontals,
        diagonals=diagonals,
        horizon=_split(small),
        upright_split=_split(small.T),
        mirrored=_likeness(small - small.mean(axis=1, keepdims=True), axis=1),
        reflected=_likeness(small - small.mean(axis=0, keepdims=True), axis=0),
        repetition=_repetition(luma),
        ink=ink,
        paper=paper,
        strokes=strokes,
    )


def _middle(profile: Floats) -> float:
    """The centre of mass of a profile, 0..1."""
    total = float(profile.sum())
    return (
        float((profile * (np.arange(len(profile)) + 0.5)).sum()) / len(profile) / total
        if total > 1e-6
        else 0.5
    )


def _shrink(values: Floats, side: int) -> Floats:
    """Means over a grid of ``side`` by ``side`` cells; fewer where the picture is smaller."""
    sums = _reduce(np.add, values, side)
    rows, columns = _starts(values.shape[0], side), _starts(values.shape[1], side)
    heights = np.diff(np.append(rows, values.shape[0]))
    widths = np.diff(np.append(columns, values.shape[1]))
    means: Floats = (sums / (heights[:, None] * widths[None])).astype(np.float32)
    return means


def _reduce(how: np.ufunc, values: Floats, side: int) -> Floats:
    rows, columns = _starts(values.shape[0], side), _starts(values.shape[1], side)
    reduced: Floats = how.reduceat(how.reduceat(values, rows, axis=0), columns, axis=1)
    return reduced


def _starts(length: int, side: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, length, side + 1).astype(np.int64)[:-1])


def _focus(luma: Floats) -> tuple[float, float, float]:
    """Laplacian against contrast, in the cells of the picture that have some contrast.

    Returns the median of turn over spread, the 90 % quantile of the strongest turn over the whole
    range, and the share of cells where both are low: ramps, neither edges nor grain.
    """
    if min(luma.shape) < 3 * _CELLS:
        return 1.0, 1.0, 0.0
    turn = np.zeros_like(luma)
    core = luma[1:-1, 1:-1]
    turn[1:-1, 1:-1] = np.abs(4 * core - luma[:-2, 1:-1] - luma[2:, 1:-1] - luma[1:-1, :-2] - luma[1:-1, 2:])
    mean = _shrink(luma, _CELLS)
    spread = np.sqrt(np.maximum(_shrink(luma * luma, _CELLS) - mean * mean, 0))
    seen = spread > 0.025
    if seen.sum() < 4:
        return 1.0, 1.0, 0.0
    reach = _reduce(np.maximum, luma, _CELLS) - _reduce(np.minimum, luma, _CELLS)
    usual = _shrink(turn, _CELLS)[seen] / spread[seen]
    strongest = _reduce(np.maximum, turn, _CELLS)[seen] / reach[seen]
    strong = spread[seen] > 0.04
    ramps = ((usual < 0.35) & (strongest < 0.7))[strong]
    blurred = float(ramps.mean()) if len(ramps) >= 4 else 0.0
    return float(np.median(usual)), float(np.quantile(strongest, 0.9)), blurred


def _directions(dx: Floats, dy: Floats) -> tuple[float, float, float]:
    """Shares of edge strength along verticals, horizontals and diagonals."""
    # A quarter of the pixels suffices.
    dx, dy = dx[::2, ::2], dy[::2, ::2]
    across, along = np.abs(dx), np.abs(dy)
    strength = across + along
    strength = np.where(strength > _EDGE, strength, 0)
    total = float(strength.sum())
    if total < 1e-3 * strength.size:
        return 0.0, 0.0, 0.0
    vertical = float(strength[along < 0.2 * across].sum()) / total
    horizontal = float(strength[across < 0.2 * along].sum()) / total
    rising = dx * dy > 0
    slanted = (across > 0.5 * along) & (along > 0.5 * across)
    one_way = float(strength[slanted & rising].sum())
    other_way = float(strength[slanted & ~rising].sum())
    return vertical, horizontal, max(one_way, other_way) / total


def _split(small: Floats) -> float | None:
    """The position, 0..1, of an edge across nearly all columns; None without."""
    rows = int(small.shape[0])
    if rows < 12:
        return None
    reach = 3
    mean = np.cumsum(np.vstack([np.zeros_like(small[:1]), small]), axis=0)
    above = (mean[reach:-reach] - mean[: -2 * reach]) / reach
    below = (mean[2 * reach :] - mean[reach:-reach]) / reach
    step = below - above
    agree = np.maximum((step > 0.05).mean(axis=1), (step < -0.05).mean(axis=1))
    score = agree * np.minimum(np.abs(np.median(step, axis=1)) / 0.12, 1.0)
    best = int(score.argmax())
    if agree[best] < 0.9 or score[best] < 0.72:
        return None
    rivals = score.copy()
    rivals[max(0, best - 5) : best + 6] = 0
    if rivals.max() > 0.75 * score[best]:
        return None
    return (int(best) + reach) / rows


def _likeness(differences: Floats, *, axis: int) -> float:
    """Correlation with the mirror image along ``axis``, -1..1; 0 where nothing differs.

    The contribution of a gradient must be subtracted before.
    """
    if float(differences.std()) < 0.03:
        return 0.0
    mirrored = np.flip(differences, axis=axis)
    return float(np.corrcoef(differences.ravel(), mirrored.ravel())[0, 1])


def _repetition(luma: Floats) -> float:
    """Height of the best side peak of the autocorrelation over the valley before it, 0..1."""
    grid = _shrink(luma, 96)
    if min(grid.shape) < 48 or float(grid.std()) < 0.03:
        return 0.0
    # Padded to twice the size, so that opposite ends are not correlated.
    shape = (2 * grid.shape[0], 2 * grid.shape[1])
    field = np.fft.irfft2(np.abs(np.fft.rfft2(grid - grid.mean(), s=shape)) ** 2, s=shape)
    field /= field[0, 0] or 1.0
    best = 0.0
    for line in (field[0, : grid.shape[1] // 3], field[: grid.shape[0] // 3, 0]):
        valley = np.minimum.accumulate(line)
        best = max(best, float((line - valley)[4:].max(initial=0.0)))
    return best


def _ink(luma: Floats) -> tuple[float, float, float]:
    """Marks darker than the paper around them.

    Returns their share, the paper's lightness, and how thin the marks are: one over their mean width.
    """
    rows, columns = max(1, luma.shape[0] // 24), max(1, luma.shape[1] // 24)
    height, width = luma.shape[0] // rows * rows, luma.shape[1] // columns * columns
    cells = luma[:height, :width].reshape(height // rows, rows, width // columns, columns)
    paper = cells.max(axis=(1, 3))
    marks = (cells < paper[:, None, :, None] * 0.72).reshape(height, width)
    turns = np.count_nonzero(marks[:, 1:] != marks[:, :-1]) / 2
    return float(marks.mean()), float(np.quantile(paper, 0.2)), float(turns / max(1, marks.sum()))


def bright_points(luma: Floats) -> int:
    """How many small bright spots stand out of dark surroundings, as lamps and stars do."""
    middle = luma[2:-2, 2:-2]
    if not middle.size:
        return 0
    around = np.stack([luma[:-4, 2:-2], luma[4:, 2:-2], luma[2:-2, :-4], luma[2:-2, 4:]]).max(axis=0)
    spots: NDArray[np.bool_] = (middle > 0.5) & (around < middle - 0.25) & (around < 0.4)
    # Count cells of 6 by 6 pixels that hold a spot: one lamp covers several pixels.
    height, width = spots.shape[0] // 6 * 6, spots.shape[1] // 6 * 6
    return int(spots[:height, :width].reshape(height // 6, 6, width // 6, 6).any(axis=(1, 3)).sum())
