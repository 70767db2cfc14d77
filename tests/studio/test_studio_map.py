"""The map of the studio: points are drawn, found, enclosed and selected, by the pointer and by keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from studio_process import Studio, start_studio, stop_studio

Points = npt.NDArray[np.float64]

# A plot of our own in the studio's page, below its policy, with what can be seen on it as the number of pixels drawn.
PLOT = """
async ({count, isPlain}) => {
  const { Scatter } = await import('/page/scatter.js');
  const { palette } = await import('/page/map_colors.js');
  const canvas = Object.assign(document.createElement('canvas'), { id: 'tested' });
  document.body.append(canvas);
  Object.assign(canvas.style, { position: 'fixed', zIndex: 9, left: 0, top: 0, width: '400px', height: '300px' });
  const heard = { hover: -1, area: null, outline: 0, clicks: [] };
  const plot = new Scatter(canvas, {
    hover: (row) => (heard.hover = row), click: (row) => heard.clicks.push(row), moved: () => {},
    area: (inside, { shiftKey, altKey }) => (heard.area = { rows: [...inside.keys()].filter((row) => inside[row]), shiftKey, altKey }),
    outline: (corners) => (heard.outline = Math.max(heard.outline, corners.length / 2)),
  }, isPlain);
  const points = new Float32Array(2 * count);
  for (let row = 0; row < count; row += 1) points.set([(row % 100) / 49.5 - 1, Math.floor(row / 100) / (count / 200) - 1], 2 * row);
  plot.setPoints(points);
  plot.setColours(new Uint8Array(count), palette([{ number: 0, color: '#ff0000' }], false));
  globalThis.tested = { plot, heard, points, drawn: () => {
    plot.draw(performance.now());
    const copy = Object.assign(document.createElement('canvas'), { width: canvas.width, height: canvas.height }).getContext('2d');
    copy.drawImage(canvas, 0, 0);
    const bytes = copy.getImageData(0, 0, canvas.width, canvas.height).data;
    let [faint, full] = [0, 0];
    for (let at = 3; at < bytes.length; at += 4) if (bytes[at] > 150) full += 1; else if (bytes[at]) faint += 1;
    return { faint, full };
  } };
}
"""
LASSOS = """
async (cases) => {
  const { PointIndex } = await import('/page/scatter_index.js');
  return cases.map(({ points, polygon }) => [...new PointIndex(Float32Array.from(points)).lasso(polygon)]);
}
"""


@pytest.fixture(scope="module")
def bare_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    from PIL import Image

    folder = tmp_path_factory.mktemp("bare") / "photos"
    folder.mkdir()
    Image.new("RGB", (32, 24)).save(folder / "1.jpg")
    started = start_studio(folder)
    yield started
    stop_studio(started)


@pytest.fixture
def plot_page(browser: Any, bare_studio: Studio, open_page: Any) -> Iterator[Any]:
    """The studio's page, in which a test makes a plot of its own."""
    with open_page(browser, bare_studio) as page:
        yield page
        page.evaluate("globalThis.tested?.plot.end()")


def enclosed(points: Points, polygon: Points) -> list[int]:
    """By NumPy: 1 where the polygon goes round a point, by the non-zero rule."""
    turns = np.zeros(len(points), np.int64)
    x, y = points.T
    for (x1, y1), (x2, y2) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        side = (x2 - x1) * (y - y1) - (x - x1) * (y2 - y1)
        turns += ((y1 <= y) & (y < y2) & (side > 0)).astype(int)
        turns -= ((y2 <= y) & (y < y1) & (side < 0)).astype(int)
    return [int(turn != 0) for turn in turns]


def test_a_lasso_encloses_what_numpy_finds_inside(plot_page: Any) -> None:
    rng = np.random.default_rng(5)
    cases = []
    for corners in (3, 4, 5, 7, 12, 40, 200):
        for spread in (0.02, 0.4, 1.3):
            points = rng.normal(0, 0.5, (600, 2)).astype(np.float32).astype(np.float64)
            polygon = rng.normal(0, spread, (corners, 2))  # crosses itself
            cases.append((points, polygon))
        cases.append((points, points[:corners]))  # through points
        cases.append((points, np.round(points[:corners], 1)))
    sent = [{"points": p.ravel().tolist(), "polygon": q.ravel().tolist()} for p, q in cases]
    found = plot_page.evaluate(LASSOS, json.loads(json.dumps(sent)))
    assert found == [enclosed(points, polygon) for points, polygon in cases]
    assert 0 < sum(map(sum, found)) < sum(map(len, found))


@pytest.mark.parametrize("is_plain", [False, True], ids=["webgl", "canvas"])
def test_points_are_drawn_and_what_is_not_selected_is_dimmed(plot_page: Any, is_plain: bool) -> None:
    plot_page.evaluate(PLOT, {"count": 1000, "isPlain": is_plain})
    everything = plot_page.evaluate("tested.drawn()")
    assert everything["full"] > 3000
    plot_page.evaluate("tested.plot.setStates(new Uint8Array(1000).fill(1, 0, 250), [3])")
    part = plot_page.evaluate("tested.drawn()")
    assert part["full"] < everything["full"] * 0.4
    assert part["faint"] > everything["full"] * 0.4  # dimmed, but there
    plot_page.evaluate("tested.plot.setStates(null, [])")
    assert plot_page.evaluate("tested.drawn()") == everything


def test_a_lost_context_comes_back(plot_page: Any) -> None:
    plot_page.evaluate(PLOT, {"count": 1000, "isPlain": False})
    before = plot_page.evaluate("tested.drawn()")
    lost = plot_page.evaluate("""async () => {
      const { canvas } = tested.plot;
      const context = canvas.getContext('webgl2').getExtension('WEBGL_lose_context');
      const wait = (name) => new Promise((resolve) => canvas.addEventListener(name, resolve, { once: true }));
      const [gone, back] = [wait('webglcontextlost'), wait('webglcontextrestored')];
      context.loseContext();
      await gone;
      const between = tested.drawn();
      setTimeout(() => context.restoreContext());
      await back;
      return between;
    }""")
    assert lost["full"] == 0
    assert plot_page.evaluate("tested.drawn()") == before


def test_the_pointer_finds_pans_zooms_and_encloses(plot_page: Any) -> None:
    plot_page.evaluate(PLOT, {"count": 10_000, "isPlain": False})
    mouse = plot_page.mouse

    def heard(name: str) -> Any:
        return plot_page.evaluate(f"tested.heard.{name}")

    x, y = plot_page.evaluate("tested.plot.pixelOf(5050)")
    mouse.move(x + 0.3, y)
    assert heard("hover") == 5050
    mouse.wheel(0, -600)  # the place under the pointer stays
    assert plot_page.evaluate("tested.plot.pixelOf(5050)") == pytest.approx([x, y], abs=2)
    assert plot_page.evaluate("tested.plot.view.zoom") > 2
    mouse.down()
    mouse.move(x + 60, y + 20, steps=4)
    mouse.up()
    assert plot_page.evaluate("tested.plot.pixelOf(5050)") == pytest.approx([x + 60, y + 20], abs=2)
    mouse.dblclick(390, 290)
    assert plot_page.evaluate("tested.plot.view") == {"x": 0, "y": 0, "zoom": 1}
    plot_page.evaluate("tested.plot.mode = 'box'")
    mouse.move(*plot_page.evaluate("tested.plot.toPixel(-0.5, 0.5)"))
    mouse.down()
    mouse.move(*plot_page.evaluate("tested.plot.toPixel(0.5, -0.5)"), steps=3)
    plot_page.keyboard.down("Shift")
    mouse.up()
    plot_page.keyboard.up("Shift")
    boxed = heard("area")
    assert boxed["shiftKey"]
    points = np.array(plot_page.evaluate("[...tested.points]")).reshape(-1, 2)
    assert len(boxed["rows"]) == pytest.approx((np.abs(points) <= 0.5).all(1).sum(), rel=0.05)
    plot_page.evaluate("tested.plot.mode = 'lasso'")
    for number, (across, down) in enumerate([(-0.5, 0.5), (0.5, 0.5), (0.5, -0.5), (-0.5, -0.5)]):
        mouse.move(*plot_page.evaluate(f"tested.plot.toPixel({across}, {down})"), steps=5)
        if number == 0:
            mouse.down()
    mouse.up()
    lassoed = heard("area")["rows"]
    assert abs(len(lassoed) - len(boxed["rows"])) <= 150  # its edge
    assert heard("outline") > 4
