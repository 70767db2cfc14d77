"""What the lightness of a picture tells: focus, texture, lines, bands, symmetry, repetition, weight."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cutline.captioners.pixels.colours import Floats

_BLOCKS: Final = 8
_EDGE: Final = 0.05  # lightness step, 0..1, between neighbouring pixels that the eye takes for an edge


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """Shares are of the picture's area, 0..1; positions run from 0 (top, left) to 1.

    ``sharpness`` is near 1 for the crispest edges and under 0.3 for a blur. ``focus`` is how much
    sharper the picture's detailed part is than the rest. ``horizon`` and ``upright_split`` are
    positions of one edge that runs across the whole picture, or None.
    """

    edges: float
    flat: float
    sharpness: float
    focus: float
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
    ink_rows: float


def structure_of(luma: Floats) -> Structure:
    """Measure the lightness 0..1 of a picture, longest side about 384 pixels."""
    dy = np.diff(luma, axis=0, append=luma[-1:])
    dx = np.diff(luma, axis=1, append=luma[:, -1:])
    size = np.maximum(np.abs(dx), np.abs(dy))
    detail = _blocks(size)
    sharpness, focus = _focus(luma, size)
    verticals, horizontals, diagonals = _directions(dx, dy)
    small = _shrink(luma, 48)
    ink, paper, ink_rows = _ink(luma)
    total = float(detail.sum()) or 1.0
    steps = (np.arange(_BLOCKS) + 0.5) / _BLOCKS
    return Structure(
        edges=float((size > _EDGE).mean()),
        flat=float((size < 1.5 / 255).mean()),
        sharpness=sharpness,
        focus=focus,
        detail_x=float((detail.sum(axis=0) * steps).sum() / total) if total > 0 else 0.5,
        detail_y=float((detail.sum(axis=1) * steps).sum() / total) if total > 0 else 0.5,
        verticals=verticals,
        horizontals=horizontals,
        diagonals=diagonals,
        horizon=_split(small),
        upright_split=_split(small.T),
        mirrored=_likeness(small, small[:, ::-1]),
        reflected=_likeness(small, small[::-1]),
        repetition=_repetition(luma),
        ink=ink,
        paper=paper,
        ink_rows=ink_rows,
    )


def _blocks(values: Floats) -> Floats:
    return _shrink(values, _BLOCKS)


def _shrink(values: Floats, side: int) -> Floats:
    """Means over a grid of ``side`` by ``side`` cells; fewer where the picture is smaller."""
    rows = np.unique(np.linspace(0, values.shape[0], side + 1).astype(int)[:-1])
    columns = np.unique(np.linspace(0, values.shape[1], side + 1).astype(int)[:-1])
    sums = np.add.reduceat(np.add.reduceat(values, rows, axis=0), columns, axis=1)
    heights = np.diff(np.append(rows, values.shape[0]))
    widths = np.diff(np.append(columns, values.shape[1]))
    means: Floats = (sums / (heights[:, None] * widths[None])).astype(np.float32)
    return means


def _focus(luma: Floats, size: Floats) -> tuple[float, float]:
    """Fine detail against coarse detail: a blurred edge has only the latter.

    The step between neighbours, compared with the step over four pixels, is 1 for a hard edge
    and a quarter for a ramp. The strongest edge of each cell is judged.
    """
    far = np.zeros_like(luma)
    far[:, 2:-2] = np.abs(luma[:, 4:] - luma[:, :-4])
    far[2:-2] = np.maximum(far[2:-2], np.abs(luma[4:] - luma[:-4]))
    height, width = (side // _BLOCKS * _BLOCKS for side in luma.shape)
    if not height or not width:
        return 1.0, 0.0
    cells = (_BLOCKS, height // _BLOCKS, _BLOCKS, width // _BLOCKS)
    fine = size[:height, :width].reshape(cells).max(axis=(1, 3)).ravel()
    coarse = far[:height, :width].reshape(cells).max(axis=(1, 3)).ravel()
    seen = coarse > 0.06
    if seen.sum() < 3:
        return (1.0 if not seen.any() else float((fine[seen] / coarse[seen]).max())), 0.0
    ratio = np.minimum(fine[seen] / coarse[seen], 1.0)
    quiet = 1.0 - float((fine > 0.10).mean())
    sharpest = float(np.quantile(ratio, 0.85))
    softest = float(np.quantile(ratio, 0.2))
    return sharpest, (sharpest - softest) * quiet


def _directions(dx: Floats, dy: Floats) -> tuple[float, float, float]:
    """Shares of edge strength along verticals, horizontals and diagonals."""
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
    """Where one edge runs across nearly all columns at the same height, 0..1; None without."""
    rows = small.shape[0]
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
    if agree[best] < 0.85 or score[best] < 0.72:
        return None
    rivals = score.copy()
    rivals[max(0, best - 5) : best + 6] = 0
    if rivals.max() > 0.75 * score[best]:
        return None
    return float(best + reach) / rows


def _likeness(first: Floats, second: Floats) -> float:
    """Correlation, -1..1; 0 for a picture without contrast."""
    if float(first.std()) < 0.03:
        return 0.0
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def _repetition(luma: Floats) -> float:
    """Height of the best side peak of the autocorrelation over the valley before it, 0..1."""
    grid = _shrink(luma, 96)
    if min(grid.shape) < 48 or float(grid.std()) < 0.03:
        return 0.0
    power = np.abs(np.fft.rfft2(grid - grid.mean())) ** 2
    power[:2, :2] = 0
    power[-1:, :2] = 0
    field = np.fft.irfft2(power, s=grid.shape)
    field /= field[0, 0] or 1.0
    best = 0.0
    for line in (field[0, : grid.shape[1] // 3], field[: grid.shape[0] // 3, 0]):
        valley = np.minimum.accumulate(line)
        best = max(best, float((line - valley)[4:].max(initial=0.0)))
    return best


def _ink(luma: Floats) -> tuple[float, float, float]:
    """Marks darker than the paper around them: their share, the paper's lightness, and the share
    of rows that hold none between rows that do (the gaps between lines of text).
    """
    rows, columns = max(1, luma.shape[0] // 24), max(1, luma.shape[1] // 24)
    height, width = luma.shape[0] // rows * rows, luma.shape[1] // columns * columns
    cells = luma[:height, :width].reshape(height // rows, rows, width // columns, columns)
    paper = cells.max(axis=(1, 3))
    marks = (cells < paper[:, None, :, None] * 0.72).reshape(height, width)
    by_row = marks.mean(axis=1)
    busy = by_row > 0.5 * float(np.quantile(by_row, 0.8))
    turns = int(np.count_nonzero(busy[1:] != busy[:-1]))
    return float(marks.mean()), float(np.quantile(paper, 0.2)), turns / max(1, len(by_row))


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
