"""The map of embeddings as an SVG picture."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from cutline.analysis.clusters import NONE, Labels
from cutline.analysis.palette import OTHER, group_color
from cutline.formatting import plural, printable

_SIDE: Final = 1000.0  # px
_EDGE: Final = 80.0  # px around the points
_LEGEND: Final = 320.0  # px
_LINE: Final = 22.0  # px
_LETTER: Final = 8.2  # px, the mean width with the stroke around
_LONGEST: Final = 32  # characters of a name on the map; the legend has all of it
_TRIES: Final = 8  # lines above and below the middle
_STYLE: Final = (
    ".plot text{font-family:system-ui,sans-serif;font-size:14px;fill:#1d2b3a}.plot .name{font-weight:600;"
    "text-anchor:middle;paint-order:stroke;stroke:#fff;stroke-width:4px}@media(prefers-color-scheme:dark)"
    "{.plot{background:#14181d}.plot text{fill:#e6edf3}.plot .name{stroke:#14181d}}"
)


def map_plot(points: npt.NDArray[np.float32], labels: Labels, names: Mapping[int, str]) -> str:
    """The points, coloured by their cluster, with the clusters' names and a legend; the text of an SVG file.

    ``points``: of shape ``(rows, 2)`` within -1 and 1, NaN for rows that are not shown.
    """
    shown = np.isfinite(points).all(axis=1)
    inner = _SIDE - 2 * _EDGE
    x = _EDGE + (points[:, 0] + 1) / 2 * inner
    y = _EDGE + (1 - points[:, 1]) / 2 * inner
    radius = max(0.8, min(5.0, 120 / max(1, int(shown.sum())) ** 0.5))
    height = max(_SIDE, 48 + _LINE * (len(names) + 1))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_SIDE + _LEGEND:g} {height:g}"'
        f' class="plot" role="img"'
        f' aria-label="Map of {plural(int(shown.sum()), "point")} in {plural(len(names), "cluster")}">'
        f"<style>{_STYLE}</style>"
    )
    parts = [head]
    for number in (*names, NONE):
        rows = np.flatnonzero(shown & (labels == number))
        if len(rows):
            # A path of lines without length: round caps make them points, at a third of a circle's bytes.
            places = "".join(f"M{x[row]:.1f} {y[row]:.1f}h0" for row in rows.tolist())
            color = OTHER if number == NONE else group_color(number)
            parts.append(
                f'<path d="{places}" stroke="{color}" stroke-width="{2 * radius:.1f}" '
                'stroke-linecap="round" fill="none" opacity="0.75"/>'
            )
    middles: dict[int, tuple[float, float, int]] = {}
    for place, (number, name) in enumerate(names.items()):
        rows = np.flatnonzero(shown & (labels == number))
        text = html.escape(printable(name))
        top = 24 + _LINE * (place + 0.7)
        parts.append(
            f'<circle cx="{_SIDE + 8:g}" cy="{top - 5:.1f}" r="6" fill="{group_color(number)}"/>'
            f'<text x="{_SIDE + 22:g}" y="{top:.1f}">{number + 1} · {text} · {len(rows):,}</text>'
        )
        if len(rows):
            middles[number] = float(np.median(x[rows])), float(np.median(y[rows])), len(rows)
    for number, (left, up) in _placed(middles, names).items():
        text = html.escape(_shortened(names[number]))
        parts.append(f'<text class="name" x="{left:.1f}" y="{up:.1f}">{text}</text>')
    return "\n".join((*parts, "</svg>\n"))


def _shortened(name: str) -> str:
    text = printable(name)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _placed(
    middles: Mapping[int, tuple[float, float, int]], names: Mapping[int, str]
) -> dict[int, tuple[float, float]]:
    """Where each name stands: at the middle of its cluster, or as near above or below as no other one is.

    The largest cluster comes first. A name without a free place is in the legend only.
    """
    boxes: list[tuple[float, float, float]] = []  # left, right and height of those that stand
    found: dict[int, tuple[float, float]] = {}
    for number, (middle, up, _) in sorted(middles.items(), key=lambda item: -item[1][2]):
        half = len(_shortened(names[number])) * _LETTER / 2
        left = min(max(middle, half), _SIDE - half)
        for step in range(2 * _TRIES):
            place = up + (step + 1) // 2 * _LINE * (1 if step % 2 else -1)
            free = all(left + half < a or left - half > b or abs(place - c) >= _LINE for a, b, c in boxes)
            if free and _LINE <= place <= _SIDE - _LINE / 2:
                boxes.append((left - half, left + half, place))
                found[number] = left, place
                break
    return found
