"""The map of clusters as a picture: no name covers another one."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from cutline.analysis.map_plot import map_plot


def places(svg: str) -> list[tuple[float, float, str]]:
    found = re.findall(r'<text class="name" x="([\d.]+)" y="([\d.]+)">([^<]*)</text>', svg)
    return [(float(x), float(y), text) for x, y, text in found]


@pytest.mark.parametrize("spread", [0.0, 0.02, 0.5])
def test_names_stand_apart(spread: float) -> None:
    chance = np.random.default_rng(3)
    labels = np.repeat(np.arange(14, dtype=np.uint8), 20)
    points = (chance.normal(size=(len(labels), 2)) * spread * 0.1 + 0.3).astype(np.float32)
    names = {number: f"kitchen, stove, oven {number}" for number in range(14)}
    svg = map_plot(points, labels, names)
    found = places(svg)
    assert len(found) >= 10
    for (x, y, text), (other_x, other_y, other) in itertools.combinations(found, 2):
        apart = abs(x - other_x) >= 8.2 * (len(text) + len(other)) / 2 - 0.2
        assert apart or abs(y - other_y) >= 21.9
    assert all(name in svg for name in names.values())  # in the legend


def test_a_long_name_is_shortened_and_stays_on_the_map() -> None:
    points = np.array([[1, 1], [1, 1]], np.float32)
    (found,) = places(map_plot(points, np.zeros(2, np.uint8), {0: "a very long name of <b>things</b> " * 4}))
    x, y, text = found
    assert text.endswith("…")
    assert 0 < y < 1000
    assert x + 8.2 * 32 / 2 <= 1000.2
