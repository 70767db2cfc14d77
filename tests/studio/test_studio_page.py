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
