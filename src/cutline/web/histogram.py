"""Histograms of the offline pages: bars of HTML, without a script."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from cutline.formatting import number

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One class of values: ``height`` in percent of the highest bar; ``marked`` bars are red."""

    label: str
    count: int
    height: float
    marked: bool = False


def histogram(
    values: npt.ArrayLike,
    *,
    bins: int = 30,
    marked: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.bool_]] | None = None,
) -> list[Bar]:
    """Bars of equal width from the 0.5 % to the 99.5 % quantile; what lies beyond is in the outer ones.

    Whole numbers get classes of whole numbers. ``marked`` tells of the middles of all classes which are
    to stand out. No values give no bars, equal ones a single bar.
    """
    import numpy as np

    found = np.asarray(values, np.float64)
    if not len(found):
        return []
    low, high = np.quantile(found, (0.005, 0.995), method="nearest").tolist()
    whole = bool((found == np.rint(found)).all())
    width = max(1.0, math.ceil((high - low + 1) / bins)) if whole else (high - low) / bins
    classes = int((high - low) / width) + 1 if whole else bins
    if low == high:
        width, classes = 1.0, 1
    places = np.clip((found - low) / width, 0, classes - 1).astype(np.int64)
    counts = np.bincount(places, minlength=classes)
    starts = low + width * np.arange(classes)
    out = np.zeros(classes, np.bool_) if marked is None else marked(starts + (width - whole) / 2)
    labels = _labels(starts.tolist(), width, (float(found.min()), float(found.max())), whole=whole)
    return [
        Bar(label=label, count=count, height=100 * count / int(counts.max()), marked=is_out)
        for label, count, is_out in zip(labels, counts.tolist(), out.tolist(), strict=True)
    ]


def _labels(starts: Sequence[float], width: float, ends: tuple[float, float], *, whole: bool) -> list[str]:
    """The bounds of each class; the outer ones reach to the smallest and the largest value."""
    smallest, largest = ends
    bounds = [[start, start + width - 1 if whole else start + width] for start in starts]
    bounds[0][0] = smallest
    bounds[-1][1] = largest
    return [
        number(first) if number(first) == number(last) else f"{number(first)} to {number(last)}"
        for first, last in bounds
    ]


def distribution(values: npt.ArrayLike) -> list[tuple[str, Any]]:
    """The figures below a histogram: smallest, median, largest."""
    import numpy as np

    found = np.asarray(values, np.float64)
    return [
        ("smallest", number(float(found.min()))),
        ("median", number(float(np.median(found)))),
        ("largest", number(float(found.max()))),
    ]
