"""Structure from lightness: focus, texture, lines, bands, symmetry, repetition, weight."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cutline.measures.oklab import Floats

_CELLS: Final = 12
_EDGE: Final = 0.05  # minimum lightness step, 0..1, between neighbouring pixels of an edge


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """Shares are of the picture's area, 0..1; positions run from 0 (top, left) to 1.

    ``flat`` pixels are similar to their neighbours, ``even`` ones equal. ``sharpness`` is about 1
    for crisp detail and under 0.35 for few or soft edges; ``sharpest`` about 1 if the sharpest edges are
    sharp; ``blurred`` the share of soft parts among those with contrast. ``upper_edges`` and ``lower_edges``
    compare the halves; ``sideways`` is the right half's lightness minus the left's. ``horizon`` and
    ``upright_split`` are positions of one edge across the whole picture, or None. ``ink`` is the share of
    marks darker than the ``paper`` around them, whose lightness it is; ``strokes`` is the inverse of their
    mean width.
    """

    edges: float
    flat: float
    even: float
    upper_edges: float
    lower_edges: float
    sideways: float
    sharpness: float = 1.0
    sharpest: float = 1.0
    blurred: float = 0.0
    detail_x: float
    detail_y: float
    verticals: float = 0.0
    horizontals: float = 0.0
    diagonals: float = 0.0
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
    step = np.maximum(np.abs(dx), np.abs(dy))
    half_y, half_x = max(1, luma.shape[0] // 2), max(1, luma.shape[1] // 2)
    small, detail = _grid(luma, 48), _grid(step, 8)
    return Structure(
        edges=float((step > _EDGE).mean()),
        flat=float((step < 1.5 / 255).mean()),
        even=float((step < 0.5 / 255).mean()),
        upper_edges=float((step[:half_y] > _EDGE).mean()),
        lower_edges=float((step[-half_y:] > _EDGE).mean()),
        sideways=float(luma[:, -half_x:].mean() - luma[:, :half_x].mean()),
        detail_x=_middle(detail.sum(axis=0)),
        detail_y=_middle(detail.sum(axis=1)),
        horizon=_split(small),
        upright_split=_split(small.T),
        mirrored=_likeness(small, axis=1),
        reflected=_likeness(small, axis=0),
        repetition=_repetition(luma),
        **focus_of(luma),
        **_directions(dx[::2, ::2], dy[::2, ::2]),  # a quarter of the pixels suffices
        **_ink(luma),
    )


def _middle(profile: Floats) -> float:
    """The centre of mass of a profile, 0..1."""
    centres = (np.arange(len(profile)) + 0.5) / len(profile)
    return float(np.average(centres, weights=profile)) if profile.sum() > 1e-6 else 0.5


def _grid(values: Floats, side: int, reduce: np.ufunc = np.add) -> Floats:
    """``values`` reduced, by default to means, over ``side`` by ``side`` cells; fewer where it is smaller."""
    rows, columns = (np.unique(np.linspace(0, n, side + 1)[:-1].astype(np.int64)) for n in values.shape)
    cells: Floats = reduce.reduceat(reduce.reduceat(values, rows, axis=0), columns, axis=1)
    if reduce is np.add:
        height, width = values.shape
        cells /= np.outer(np.diff(rows, append=height), np.diff(columns, append=width))
    return cells


def focus_of(luma: Floats) -> dict[str, float]:
    """Laplacian against contrast, in the cells of the picture that have some contrast.

    ``sharpness`` is the median of turn over spread, ``sharpest`` the 90 % quantile of the strongest turn
    over the whole range, ``blurred`` the share of cells where both are low: ramps, neither edges nor grain.
    """
    if min(luma.shape) < 3 * _CELLS:
        return {}
    turn = np.zeros_like(luma)
    inner = luma[1:-1, 1:-1]
    turn[1:-1, 1:-1] = np.abs(4 * inner - luma[:-2, 1:-1] - luma[2:, 1:-1] - luma[1:-1, :-2] - luma[1:-1, 2:])
    spread = np.sqrt(np.maximum(_grid(luma * luma, _CELLS) - _grid(luma, _CELLS) ** 2, 0))
    seen = spread > 0.025
    if seen.sum() < 4:
        return {}
    reach = _grid(luma, _CELLS, np.maximum) - _grid(luma, _CELLS, np.minimum)
    usual = _grid(turn, _CELLS)[seen] / spread[seen]
    strongest = _grid(turn, _CELLS, np.maximum)[seen] / reach[seen]
    ramps = ((usual < 0.35) & (strongest < 0.7))[spread[seen] > 0.04]
    return {
        "sharpness": float(np.median(usual)),
        "sharpest": float(np.quantile(strongest, 0.9)),
        "blurred": float(ramps.mean()) if len(ramps) >= 4 else 0.0,
    }


def _directions(dx: Floats, dy: Floats) -> dict[str, float]:
    """Shares of edge strength along verticals, horizontals and diagonals."""
    across, along = np.abs(dx), np.abs(dy)
    strength = across + along
    strength = np.where(strength > _EDGE, strength, 0)
    total = float(strength.sum())
    if total < 1e-3 * strength.size:
        return {}
    rising = dx * dy > 0
    slanted = (across > 0.5 * along) & (along > 0.5 * across)
    diagonal = max(float(strength[slanted & way].sum()) for way in (rising, ~rising))
    return {
        "verticals": float(strength[along < 0.2 * across].sum()) / total,
        "horizontals": float(strength[across < 0.2 * along].sum()) / total,
        "diagonals": diagonal / total,
    }


def _split(small: Floats, reach: int = 3) -> float | None:
    """The position, 0..1, of an edge across nearly all columns; None without."""
    if len(small) < 12:
        return None
    means = np.lib.stride_tricks.sliding_window_view(small, reach, axis=0).mean(axis=-1)
    step = means[reach:] - means[:-reach]
    agree = np.maximum((step > 0.05).mean(axis=1), (step < -0.05).mean(axis=1))
    score = agree * np.minimum(np.abs(np.median(step, axis=1)) / 0.12, 1.0)
    best = int(score.argmax())
    rivals = np.delete(score, slice(max(0, best - 5), best + 6))
    if agree[best] < 0.9 or score[best] < 0.72 or rivals.max(initial=0) > 0.75 * score[best]:
        return None
    return (best + reach) / len(small)


def _likeness(small: Floats, *, axis: int) -> float:
    """Correlation with the mirror image along ``axis``, -1..1; 0 where nothing differs.

    The means across the axis are subtracted, as a gradient is not a symmetry.
    """
    differences = small - small.mean(axis=axis, keepdims=True)
    if float(differences.std()) < 0.03:
        return 0.0
    return float(np.corrcoef(differences.ravel(), np.flip(differences, axis=axis).ravel())[0, 1])


def _repetition(luma: Floats) -> float:
    """Height of the best side peak of the autocorrelation over the valley before it, 0..1."""
    grid = _grid(luma, 96)
    height, width = grid.shape
    if min(grid.shape) < 48 or float(grid.std()) < 0.03:
        return 0.0
    # Padded to twice the size, so that opposite ends are not correlated.
    shape = (2 * height, 2 * width)
    field = np.fft.irfft2(np.abs(np.fft.rfft2(grid - grid.mean(), s=shape)) ** 2, s=shape)
    lines = (field[0, : width // 3], field[: height // 3, 0])
    peaks = [float((line - np.minimum.accumulate(line))[4:].max(initial=0.0)) for line in lines]
    return max(peaks) / (float(field[0, 0]) or 1.0)


def _blocks(values: NDArray[Any], rows: int, columns: int) -> NDArray[Any]:
    """Whole blocks of ``rows`` by ``columns``, shape (down, rows, across, columns)."""
    down, across = values.shape[0] // rows, values.shape[1] // columns
    return values[: down * rows, : across * columns].reshape(down, rows, across, columns)


def _ink(luma: Floats) -> dict[str, float]:
    cells = _blocks(luma, max(1, luma.shape[0] // 24), max(1, luma.shape[1] // 24))
    paper = cells.max(axis=(1, 3))
    marks = cells < paper[:, None, :, None] * 0.72
    marks = marks.reshape(cells.shape[0] * cells.shape[1], -1)
    turns = np.count_nonzero(marks[:, 1:] != marks[:, :-1]) / 2
    return {
        "ink": float(marks.mean()),
        "paper": float(np.quantile(paper, 0.2)),
        "strokes": float(turns / max(1, marks.sum())),
    }


def bright_points(luma: Floats) -> int:
    """The number of small bright spots in dark surroundings, such as lamps and stars."""
    middle = luma[2:-2, 2:-2]
    if not middle.size:
        return 0
    around = np.maximum.reduce([luma[:-4, 2:-2], luma[4:, 2:-2], luma[2:-2, :-4], luma[2:-2, 4:]])
    spots = (middle > 0.5) & (around < middle - 0.25) & (around < 0.4)
    return int(_blocks(spots, 6, 6).any(axis=(1, 3)).sum())  # one lamp covers several pixels
