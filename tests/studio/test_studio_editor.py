"""The picture, its caption and the grid in the browser: nothing that is typed is lost or goes astray."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import expect

from processes import wait_until
from studio_process import PATIENCE, Studio, start_studio, stop_studio

PICTURES = 24


def caption(number: int) -> str:
    return f"long hair, red cat, picture {number}"


def restore(folder: Path) -> None:
    """All captions as they were before the tests; those of the last two pictures are missing."""
    for number in range(PICTURES - 2):
        (folder / f"{number:02}.txt").write_text(f"{caption(number)}\n")
    for number in range(PICTURES - 2, PICTURES):
        (folder / f"{number:02}.txt").unlink(missing_ok=True)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("editor") / "photos"
    folder.mkdir()
    for number in range(PICTURES):
        Image.new("RGB", (1600, 900), (10 * number, 90, 160)).save(folder / f"{number:02}.jpg")
    restore(folder)
    started = start_studio(folder)
    yield started
    stop_studio(started)


@pytest.fixture
def page(browser: Any, studio: Studio) -> Iterator[Any]:
    restore(studio.folder)
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE * 1000)
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto(studio.url)
    opened.wait_for_selector(".cell")
    yield opened
    context.close()
    assert not complaints


def show(page: Any, number: int) -> Any:
    """Move to a picture; its caption's field."""
    page.keyboard.press("Escape")
    page.keyboard.press("Home")
    for _ in range(number):
        page.keyboard.press("ArrowRight")
    field = page.get_by_role("textbox", name="Caption")
    expect(field).to_have_value(caption(number) if number < PICTURES - 2 else "")
    expect(field).to_be_editable()
    return field


def test_the_picture_is_zoomed_by_keys_wheel_and_double_click_and_dragged(page: Any) -> None:
    image = page.locator(".editor .view img")
    expect(image).to_have_js_property("naturalWidth", 1600)
    fitting = image.bounding_box()["width"]
    page.keyboard.press("z")
    wait_until(lambda: image.bounding_box()["width"] == 1600)
    before = image.bounding_box()["x"]
    page.keyboard.press("Alt+ArrowRight")
    wait_until(lambda: image.bounding_box()["x"] < before)
    view = page.locator(".editor .view").bounding_box()
    middle = view["x"] + view["width"] / 2, view["y"] + view["height"] / 2
    before = image.bounding_box()["x"]
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 60, middle[1])
    page.mouse.up()
    wait_until(lambda: abs(image.bounding_box()["x"] - before - 60) < 2)
    page.keyboard.press("z")
    wait_until(lambda: image.bounding_box()["width"] == fitting)
    page.mouse.wheel(0, -100)
    wait_until(lambda: fitting < image.bounding_box()["width"] < 1600)
    page.keyboard.press("-")
    wait_until(lambda: image.bounding_box()["width"] == fitting)
    page.mouse.dblclick(*middle)
    wait_until(lambda: image.bounding_box()["width"] == 1600)
    page.get_by_role("button", name="Fit", exact=True).click()
    wait_until(lambda: image.bounding_box()["width"] == fitting)


def test_the_neighbours_lead_to_their_pictures(page: Any) -> None:
    show(page, 2)
    page.get_by_role("button", name="After: 04.jpg").click()
    expect(page.get_by_role("textbox", name="Caption")).to_have_value(caption(4))
    page.get_by_role("button", name="Before: 03.jpg").click()
    expect(page.locator(".cell.cursor")).to_have_attribute("title", "03.jpg")


def test_moving_on_while_typing_writes_nothing_to_a_neighbour(page: Any, studio: Any) -> None:
    field = show(page, 5)
    field.focus()
    field.press("End")
    page.keyboard.type(" mine")
    for _ in range(6):
        page.keyboard.down("ArrowDown")  # held: moves the caret only
    page.keyboard.up("ArrowDown")
    expect(page.locator(".cell.cursor")).to_have_attribute("title", "05.jpg")
    page.keyboard.down("Control")
    for _ in range(8):
        page.keyboard.down("ArrowDown")
    page.keyboard.up("ArrowDown")
    page.keyboard.up("Control")
    expect(page.locator(".cell.cursor")).to_have_attribute("title", "13.jpg")
    expect(field).to_have_value(caption(13))
    page.keyboard.press("Control+z")  # of the field: it must not bring back another picture's text
    expect(field).to_have_value(caption(13))
    page.keyboard.press("Control+ArrowUp")
    expect(field).to_have_value(caption(12))
    wait_until(lambda: (studio.folder / "05.txt").read_text() == f"{caption(5)} mine\n")
    page.keyboard.press("Escape")
    texts = {number: (studio.folder / f"{number:02}.txt").read_text() for number in range(4, 16)}
    del texts[5]
    assert texts == {number: f"{caption(number)}\n" for number in texts}
