"""What is selected stands as chips, which come off one by one, and composes as one query."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from processes import cutline_here
from studio_process import Studio


def chips(page: Any, *texts: str) -> None:
    expect(page.get_by_role("group", name="What is selected").locator(".chip > span")).to_have_text(texts)


def shown(page: Any, count: int) -> None:
    expect(page.locator(".bar .count").first).to_have_text(f"{count} of 12")


def test_the_terms_of_the_filter_come_off_one_by_one(page: Any) -> None:
    search = page.get_by_role("combobox", name="Find")
    search.fill('cat -"number 3" (1 OR 2 OR "mat, number 5") words>2')
    chips(page, "cat", '-"number 3"', '(1 OR 2 OR "mat, number 5")', "words>2")
    shown(page, 3)
    page.get_by_role("button", name="Take off cat").click()
    expect(search).to_have_value('-"number 3" (1 OR 2 OR "mat, number 5") words>2')
    chips(page, '-"number 3"', '(1 OR 2 OR "mat, number 5")', "words>2")
    page.keyboard.press("ArrowRight")  # the focus is on the chip in its place
    page.keyboard.press("Delete")
    chips(page, '-"number 3"', "words>2")
    shown(page, 7)
    page.keyboard.press("Backspace")
    page.keyboard.press("Escape")
    page.keyboard.press("x")
    chips(page)
    expect(search).to_have_value("")
    shown(page, 12)
    search.fill('"number 1" OR "number 2"')
    chips(page, '"number 1" OR "number 2"')
    search.fill("cat (")
    expect(search).to_have_attribute("aria-invalid", "true")
    chips(page)


def test_what_is_picked_is_a_chip_and_becomes_a_set(page: Any, studio: Studio) -> None:
    search = page.get_by_role("combobox", name="Find")
    page.locator(".cell").nth(1).click()
    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    chips(page, "3 picked")
    page.get_by_role("button", name="Keep as…").click()
    name = page.get_by_role("textbox", name="Name of the set")
    expect(name).to_have_value("picked-1")
    name.fill("a/b")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="cannot name a set")).to_be_visible()
    name.fill("my set")
    page.keyboard.press("Enter")
    chips(page, 'in:"my set"')
    shown(page, 3)
    page.keyboard.press("/")
    page.keyboard.press("End")
    page.keyboard.type(' -"number 2" in:')
    expect(page.get_by_role("option", name='in:"my set"')).to_be_visible()
    page.keyboard.press("Backspace")
    page.keyboard.press("Backspace")
    page.keyboard.press("Backspace")
    chips(page, 'in:"my set"', '-"number 2"')
    shown(page, 2)
    assert cutline_here("find", studio.folder, search.input_value()).stdout == "01.jpg\n03.jpg\n"
    page.get_by_role("button", name="Save filter").click()
    page.get_by_role("textbox", name="Name of the filter").fill("two")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="★ two")).to_be_visible()
    assert "needs my set" in studio.call("DELETE", "sets/my%20set", status=422)["detail"]
    page.keyboard.press("Space")
    chips(page, "1 picked", 'in:"my set"', '-"number 2"')
    page.keyboard.press("x")
    chips(page, 'in:"my set"', '-"number 2"')
    page.keyboard.press("Control+z")  # what was picked comes back
    chips(page, "1 picked", 'in:"my set"', '-"number 2"')
    page.keyboard.press("x")
    page.keyboard.press("Control+k")
    page.keyboard.type("set: my")
    page.keyboard.press("Enter")
    chips(page, 'in:"my set"')
    page.get_by_role("button", name="Forget set").click()
    expect(page.get_by_role("alert").filter(has_text="the saved filter two needs my set")).to_be_visible()
    studio.call("DELETE", "filters/two")
    page.get_by_role("button", name="Forget set").click()
    chips(page)
    assert studio.call("GET", "sets") == {}


def test_keywords_are_a_term_of_the_filter(page: Any) -> None:
    search = page.get_by_role("combobox", name="Find")
    search.fill("words>2")
    page.keyboard.press("Escape")
    page.keyboard.press("k")
    page.keyboard.type("number 1, mat, dog")
    expect(search).to_have_value('words>2 any:"number 1,mat,dog"')
    shown(page, 8)
    page.get_by_role("combobox", name="Which keywords").select_option("all")
    shown(page, 0)
    page.get_by_role("textbox", name="Keywords").fill("numb, ma, 2")
    shown(page, 0)
    page.get_by_label("also as beginnings").check()
    chips(page, "words>2", "all:numb*,ma*,2*")
    shown(page, 1)
    page.get_by_role("button", name="Take off all:numb*,ma*,2*").click()
    expect(page.get_by_role("textbox", name="Keywords")).to_have_value("")
    page.get_by_role("textbox", name="Keywords").press("Escape")
    expect(page.get_by_role("textbox", name="Keywords")).to_have_count(0)
    shown(page, 8)


def test_the_selection_is_the_scope_of_everything(page: Any, studio: Studio) -> None:
    studio.call("PUT", "sets/lasso-1", {"rows": [0, 2, 4, 9]})
    search = page.get_by_role("combobox", name="Find")
    search.fill('in:lasso-1 any:cat -"number 4"')
    shown(page, 2)
    for key, name in (("Control+h", "bulk"), ("e", "export"), ("g", "generate"), ("w", "words")):
        page.keyboard.press("Escape")
        page.keyboard.press(key)
        expect(page.locator(f".side.{name}").get_by_label("Filter (2)")).to_be_checked()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+a")
    page.keyboard.press("f")
    expect(page.get_by_role("img", name="flagged")).to_have_count(2)
    assert cutline_here("find", studio.folder, "status:flagged").stdout == "00.jpg\n02.jpg\n"
