"""The studio in the browser, by keys."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect


def test_a_caption_is_saved_while_the_next_one_is_opened(page: Any, studio: Any) -> None:
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    field = page.get_by_role("textbox", name="Caption")
    expect(field).to_have_value("a cat on a mat, number 1")
    field.fill("a dog on a mat")
    page.keyboard.press("Control+ArrowDown")
    expect(field).to_have_value("a cat on a mat, number 2")
    assert (studio.folder / "01.txt").read_text() == "a dog on a mat\n"
    assert (studio.folder / "02.txt").read_text() == "a cat on a mat, number 2\n"


def test_typing_pauses_and_the_caption_is_saved(page: Any, studio: Any) -> None:
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.wait_for_selector("textarea:not([readonly])")
    page.keyboard.type("a new caption")
    expect(page.get_by_role("status")).to_have_text("Saved")
    assert (studio.folder / "11.txt").read_text() == "a new caption"
    page.keyboard.press("Escape")
    page.keyboard.press("Control+z")
    expect(page.get_by_role("textbox", name="Caption")).to_have_value("")
    assert not (studio.folder / "11.txt").exists()


def test_a_text_that_another_program_changed_is_not_overwritten(page: Any, studio: Any) -> None:
    page.keyboard.press("Enter")
    field = page.get_by_role("textbox", name="Caption")
    expect(field).to_have_value("a cat on a mat, number 0")
    (studio.folder / "00.txt").write_text("theirs")
    field.fill("mine")
    expect(page.get_by_role("status")).to_contain_text("Not saved: changed by another program")
    assert (studio.folder / "00.txt").read_text() == "theirs"
    expect(field).to_have_value("mine")


def test_the_search_shows_the_pictures_that_match(page: Any) -> None:
    page.keyboard.press("/")
    page.keyboard.type('"number 3" OR missing:')
    expect(page.locator(".bar .count").first).to_have_text("5 of 12")


def test_a_bulk_edit_is_seen_applied_without_some_and_undone(page: Any, studio: Any) -> None:
    page.keyboard.press("Control+h")
    page.get_by_role("textbox", name="Find", exact=True).fill("a cat")
    page.get_by_role("textbox", name="Replace with").fill("two dogs")
    panel = page.get_by_role("region", name="Edit many captions")
    expect(panel.get_by_text("8 of 12 change")).to_be_visible()
    first = panel.locator(".changes li").first
    expect(first.locator("del").first).to_have_text("a cat")
    expect(first.locator("ins").first).to_have_text("two dogs")
    first.get_by_role("checkbox").uncheck()
    (studio.folder / "02.txt").write_text("theirs")
    panel.get_by_role("button", name="Apply to 7").click()
    expect(panel.locator(".outcome")).to_contain_text("6 pictures changed")
    expect(panel.locator(".outcome")).to_contain_text("02.txt")
    texts = [(studio.folder / f"0{number}.txt").read_text() for number in range(4)]
    assert [text.startswith("two dogs") for text in texts] == [False, True, False, True]
    panel.get_by_role("button", name="Undo").click()
    expect(panel.locator(".outcome")).to_contain_text("undo: replace")
    assert (studio.folder / "03.txt").read_text() == "a cat on a mat, number 3\n"
    panel.get_by_label("Regular expression").check()
    page.get_by_role("textbox", name="Find", exact=True).fill("(")
    expect(panel.get_by_role("alert")).to_contain_text("not valid")


def test_pictures_are_picked_by_keys_and_clicks(page: Any) -> None:
    cells = page.locator(".cell")
    cells.nth(1).click()
    page.keyboard.press("Space")
    cells.nth(3).click()
    expect(page.get_by_text("1 picked")).to_be_visible()
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowLeft")
    expect(page.get_by_text("3 picked")).to_be_visible()
    cells.nth(3).click(modifiers=["Control"])
    cells.nth(6).click(modifiers=["Shift"])
    expect(page.get_by_text("5 picked")).to_be_visible()
    page.keyboard.press("Control+i")
    expect(page.get_by_text("7 picked")).to_be_visible()
    page.keyboard.press("Control+a")
    expect(page.get_by_text("12 picked")).to_be_visible()
    page.get_by_role("button", name="clear").click()
    expect(page.get_by_text("picked")).to_have_count(0)
