"""What the page looks like with captions, names and keys that are not the usual ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import expect

TAG = "a tag of so many words that it is wider than the editor " * 8
CAPTIONS = {
    "1.png": f"cat, {TAG.strip()}, dog",
    "2 a name that is far longer than the line that it stands in, with words "
    + "and more " * 15
    + ".png": "sky",
    "deep/3.png": "صورة طويلة جدا باللون الأزرق، قطة (2 cats).",
    "4.png": "",
}


@pytest.fixture
def photos(new_folder: Path) -> Path:
    folder = new_folder / "photos"
    for number, (name, caption) in enumerate(CAPTIONS.items()):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 48), (60 * number, 90, 160)).save(file)
        if caption:
            file.with_suffix(".txt").write_text(caption)
    return folder


def show(page: Any, name: str) -> None:
    page.locator(f'.cell[title="{name}"]').locator(".badges + *").click()
    expect(page.locator(".status .path")).to_have_text(name)


def test_nothing_is_wider_than_the_editor(page: Any) -> None:
    editor = page.locator(".editor").bounding_box()
    page.keyboard.press("t")
    show(page, "1.png")
    for button in page.get_by_role("list", name="Tags").get_by_role("button").all():
        box = button.bounding_box()
        assert box["x"] + box["width"] <= editor["x"] + editor["width"]
    page.get_by_role("button", name="Remove a tag of so many").click()
    expect(page.get_by_role("list", name="Tags").get_by_role("listitem")).to_have_count(2)
    facets = page.get_by_role("group", name="Find by what this picture has")
    assert facets.evaluate("each => each.scrollWidth <= each.clientWidth")


def test_the_picture_keeps_its_place_whatever_is_known_of_it(page: Any) -> None:
    places = set()
    for name in CAPTIONS:
        show(page, name)
        expect(page.locator(".counts")).to_contain_text("of 77 tokens")
        box = page.locator(".editor .view").bounding_box()
        places.add((box["y"], box["height"]))
    assert len(places) == 1


def test_a_caption_is_written_from_its_own_side(page: Any) -> None:
    show(page, "deep/3.png")
    field = page.get_by_role("textbox", name="Caption")
    direction = "each => getComputedStyle(each).direction"
    assert field.evaluate(direction) == "rtl"
    assert page.locator('.cell[title="deep/3.png"] p').evaluate(direction) == "rtl"
    field.fill("two cats")
    assert field.evaluate(direction) == "ltr"


def test_find_replaces_the_filter_that_is_there(page: Any) -> None:
    count = page.locator(".bar .count").first
    page.keyboard.press("/")
    page.keyboard.type("sky")
    expect(count).to_have_text("1 of 4")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+f")
    page.keyboard.type("path:deep/")
    expect(page.get_by_role("combobox", name="Find")).to_have_value("path:deep/")
    expect(count).to_have_text("1 of 4")
    page.keyboard.type(" nothing has this")
    expect(page.get_by_text("No picture matches.")).to_be_visible()
    page.get_by_role("button", name="Show all pictures").click()
    expect(count).to_have_text("4 of 4")
    page.keyboard.press("ArrowRight")  # the grid has the keys
    expect(page.locator(".cell.cursor")).to_have_attribute("id", "cell-1")


def test_a_caption_of_many_tags_is_shown_as_text(page: Any, photos: Path) -> None:
    page.keyboard.press("t")
    show(page, "4.png")
    tags = ", ".join(map(str, range(20_000)))
    (photos / "4.txt").write_text(tags)
    field = page.get_by_role("textbox", name="Caption", exact=True)
    expect(field).to_have_value(tags)
    expect(page.get_by_text("more than 500 tags")).to_be_visible()
    field.fill("a, b")
    expect(page.get_by_role("list", name="Tags").get_by_role("listitem")).to_have_count(2)


def test_keys_of_an_input_method_are_its_own(page: Any, photos: Path) -> None:
    page.keyboard.press("t")
    show(page, "1.png")
    page.get_by_role("combobox", name="Add a tag").click()
    session = page.context.new_cdp_session(page)
    for text in ("n", "ね", "ねk", "ねこ"):
        session.send("Input.imeSetComposition", {"text": text, "selectionStart": 2, "selectionEnd": 2})
    enter = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
    session.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **enter})  # it chooses a word
    session.send("Input.dispatchKeyEvent", {"type": "keyUp", **enter})
    tags = page.get_by_role("list", name="Tags").get_by_role("listitem")
    expect(tags).to_have_count(3)
    session.send("Input.insertText", {"text": "猫"})
    page.keyboard.press("Enter")
    expect(tags).to_have_count(4)
    expect(tags.last).to_contain_text("猫")
    page.keyboard.press("Escape")
    expect(page.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    assert (photos / "1.txt").read_text().endswith("dog, 猫")
