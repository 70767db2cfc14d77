"""What newcomers stumbled over: other processes, double clicks, texts that are typed and left."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import expect

from processes import cutline, wait_until
from studio_process import PATIENCE, start_studio, stop_studio, wait_until_open


def test_edits_of_other_processes_are_taken_over(studio: Any, page: Any) -> None:
    folder = studio.folder
    search = page.get_by_role("combobox", name="Find")
    search.fill("tiger")
    expect(page.get_by_text("0 of 12", exact=True)).to_be_visible()
    assert cutline("edit", folder, "--replace", "cat", "tiger").returncode == 0
    undo = page.get_by_role("button", name="Undo", exact=True)
    expect(undo).to_have_attribute("title", re.compile("replace 'cat' by 'tiger'"))
    search.press("Enter")
    expect(page.get_by_text("8 of 12", exact=True)).to_be_visible()
    assert cutline("undo", folder).returncode == 0
    studio.job("POST", "export", {"output": "after.csv", "format": "csv"})
    assert "tiger" not in (folder.parent / "after.csv").read_text()
    assert "cat" in (folder.parent / "after.csv").read_text()


def test_a_second_click_on_apply_changes_nothing_that_was_left_out(studio: Any, page: Any) -> None:
    page.keyboard.press("Control+h")
    page.get_by_role("textbox", name="Find", exact=True).fill("cat")
    page.get_by_role("textbox", name="Replace with").fill("tiger")
    page.get_by_role("list", name="Changes").get_by_role("checkbox").first.uncheck()
    page.get_by_role("button", name="Apply to 7").dblclick()
    expect(page.get_by_role("button", name="Apply", exact=True)).to_be_disabled()
    texts = [(studio.folder / f"{number:02}.txt").read_text() for number in range(8)]
    assert [("tiger" in text) for text in texts] == [False] + [True] * 7
    assert len(studio.call("GET", "history")) == 1


def test_an_undo_tells_what_it_took_back_whatever_panel_is_open(studio: Any, page: Any) -> None:
    edit = {"kind": "replace", "old": "cat", "new": "dog", "word": True}
    scope = {"rows": [3, 3, 1]}
    found = studio.call("POST", "preview", {"edit": edit, "scope": scope})
    assert (found["scope"], found["changed"]) == (2, 2)
    studio.job("POST", "apply", {"preview": found["preview"]})
    undo = page.get_by_role("button", name="Undo", exact=True)
    expect(undo).to_be_enabled()
    page.keyboard.press("w")
    expect(page.get_by_role("heading", name="Words")).to_be_visible()
    undo.click()
    outcome = page.locator(".bar .outcome")
    done = "replace 'cat' by 'dog' (whole words) in 2 pictures: 2 pictures changed."
    for button, kind in (("Redo", "undo"), ("Undo", "redo"), ("Redo", "undo")):
        expect(outcome.locator("span")).to_have_text(f"{kind}: {done}")
        outcome.get_by_role("button", name=button, exact=True).click()
    expect(outcome.locator("span")).to_have_text(f"redo: {done}")
    assert [one["kind"] for one in studio.call("GET", "history")] == [
        "redo",
        "undo",
        "redo",
        "undo",
        "replace",
    ]


def test_an_edit_of_a_filter_is_named_with_it_and_leaves_nothing_to_change(studio: Any, page: Any) -> None:
    page.get_by_role("combobox", name="Find").fill('"number 3"')
    expect(page.get_by_text("1 of 12", exact=True)).to_be_visible()
    page.keyboard.press("Control+h")
    page.get_by_role("textbox", name="Find", exact=True).fill("cat")
    page.get_by_role("textbox", name="Replace with").fill("dog")
    page.get_by_role("button", name="Apply to 1").click()
    expect(page.get_by_text("Nothing to change in 1 caption.")).to_be_visible()
    expect(page.get_by_role("button", name="Apply", exact=True)).to_be_disabled()
    listed = cutline("history", studio.folder).stdout
    assert "replace 'cat' by 'dog' where \"number 3\", 1 file" in listed


def test_more_completions_than_are_listed_are_announced(studio: Any, page: Any) -> None:
    for number in range(12):
        studio.call("PUT", f"sets/mine-{number}", {"rows": [number]})
    search = page.get_by_role("combobox", name="Find")
    search.fill("in:mine")
    options = page.get_by_role("listbox", name="Completions").get_by_role("option")
    expect(options).to_have_count(10)
    expect(page.get_by_text("There are more: type on.")).to_be_visible()
    search.press("Tab")
    page.keyboard.type("cat")  # behind what was completed
    expect(search).to_have_value("in:mine-11 cat")
    search.fill("cat in:none")
    expect(page.locator("#mistake mark")).to_have_text("in:none")


def test_ctrl_z_in_a_field_takes_back_what_was_typed_there_and_nothing_else(studio: Any, page: Any) -> None:
    page.get_by_role("combobox", name="Find").fill("cat")
    expect(page.get_by_text("8 of 12", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    page.locator(".grid").focus()
    page.keyboard.press("Enter")
    field = page.get_by_role("textbox", name="Caption", exact=True)
    expect(field).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.type(" indeed")
    wait_until(lambda: (studio.folder / "00.txt").read_text() == "a cat on a mat, number 0 indeed\n")
    for _ in range(10):
        page.keyboard.press("Control+z")
    expect(field).to_have_value("a cat on a mat, number 0")
    wait_until(lambda: (studio.folder / "00.txt").read_text() == "a cat on a mat, number 0\n")
    expect(page.get_by_role("combobox", name="Find")).to_have_value("cat")


def test_what_is_typed_into_a_proposal_stays_with_its_picture(studio: Any, page: Any) -> None:
    body = {"scope": {"rows": [8, 9]}, "choice": {"model": "fake"}}
    studio.job("POST", "generate", body)
    search = page.get_by_role("combobox", name="Find")
    search.fill("has:proposal")
    expect(page.get_by_text("2 of 12", exact=True)).to_be_visible()
    search.press("Escape")
    proposal = page.get_by_role("region", name="Proposal")
    proposal.get_by_role("button", name="Change").dblclick()  # no other button comes under the pointer
    field = proposal.get_by_role("textbox", name="Proposal")
    field.fill("mine, not theirs")
    page.locator(".cell").nth(1).click()
    expect(proposal.get_by_role("textbox")).to_have_count(0)
    page.locator(".cell").nth(0).click()
    expect(field).to_have_value("mine, not theirs")
    page.locator(".grid").focus()
    page.keyboard.press("Control+Enter")
    wait_until((studio.folder / "08.txt").exists)
    assert (studio.folder / "08.txt").read_text() == "mine, not theirs"
    versions = studio.call("GET", "history/8")
    assert versions[0]["by"] == "fake, changed by a person"


def test_an_undo_is_not_taken_back_by_a_later_edit(studio: Any) -> None:
    def change(caption: str, before: str) -> None:
        studio.call("PUT", "captions/0", {"caption": caption, "before": before})

    change("one", "a cat on a mat, number 0")
    studio.job("POST", "undo", {})
    change("two", "a cat on a mat, number 0")
    by_number = {edit["id"]: edit for edit in studio.call("GET", "history")}
    assert by_number[2]["summary"] == "undo: edit 00.jpg"
    assert (by_number[1]["undone_by"], by_number[2]["undone_by"]) == (2, None)
    studio.job("POST", "undo", {"edit": 3})
    studio.job("POST", "undo", {"edit": 4})
    assert [edit["summary"] for edit in studio.call("GET", "history")][:2] == [
        "redo: edit 00.jpg",
        "undo: edit 00.jpg",
    ]


def test_ctrl_c_ends_the_studio_in_good_order_while_a_page_is_open(
    photos: Path, browser: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    studio = start_studio(photos)
    context = browser.new_context()
    shown = context.new_page()
    shown.goto(studio.url)
    shown.wait_for_selector(".cell")
    studio.process.send_signal(signal.SIGINT)
    assert studio.process.wait(PATIENCE) == 0
    context.close()
    assert "Cancel" not in capfd.readouterr().err


def test_coming_back_restores_the_query_the_place_and_what_was_picked(
    studio: Any, page: Any, new_folder: Path
) -> None:
    page.get_by_role("combobox", name="Find").fill("cat")
    expect(page.get_by_text("8 of 12", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    page.locator(".grid").focus()
    page.keyboard.press("Space")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    place = {"query": "cat", "row": 3, "picked": [0, 3]}
    wait_until(lambda: studio.call("GET", "place") == place)
    page.reload()
    expect(page.get_by_text("2 picked")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    page.reload()  # at once: the request is not cut off
    expect(page.locator(".cell.cursor")).to_have_attribute("title", "02.jpg")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".cell.cursor")).to_have_attribute("title", "03.jpg")
    expect(page.get_by_role("combobox", name="Find")).to_have_value("cat")
    wait_until(lambda: studio.call("GET", "place") == place)
    Image.new("RGB", (8, 8)).save(studio.folder / "00-new.jpg")  # which shifts the rows
    (new_folder / "other").mkdir()
    Image.new("RGB", (8, 8)).save(new_folder / "other" / "1.jpg")
    studio.open(new_folder / "other")
    expect(page.get_by_text("1 of 1", exact=True)).to_be_visible()
    expect(page.get_by_role("combobox", name="Find")).to_have_value("")
    studio.open(new_folder / "photos")
    expect(page.locator(".cell.cursor")).to_have_attribute("title", "03.jpg")
    assert studio.call("GET", "place") == {"query": "cat", "row": 4, "picked": [1, 4]}
    assert not (new_folder / "photos.cutline").exists()  # looking creates no file


def test_what_is_typed_for_a_tag_is_not_lost_on_moving_on(studio: Any, page: Any) -> None:
    page.keyboard.press("t")
    for key, number in (("Control+ArrowDown", 0), ("Control+Enter", 1)):
        expect(page.locator(".editor")).to_contain_text(f"0{number}.jpg")
        page.keyboard.press("Enter")
        expect(page.get_by_role("combobox", name="Add a tag")).to_be_focused()
        page.keyboard.type("film grain")
        page.keyboard.press(key)
        file = studio.folder / f"0{number}.txt"
        wait_until(
            lambda file=file, number=number: (
                file.read_text() == f"a cat on a mat, number {number}, film grain\n"
            )
        )
    page.get_by_role("button", name="number 2", exact=True).click()
    page.keyboard.type("number two")
    page.keyboard.press("Control+ArrowDown")
    wait_until(lambda: (studio.folder / "02.txt").read_text() == "a cat on a mat, number two\n")
    texts = {number: (studio.folder / f"0{number}.txt").read_text() for number in range(3, 8)}
    assert texts == {number: f"a cat on a mat, number {number}\n" for number in texts}


def test_tab_takes_what_fits_what_is_typed_however_slow_the_list_is(studio: Any, page: Any) -> None:
    caption = "a cat on a mat, number 0"
    studio.call("PUT", "captions/0", {"caption": "chair, catfish", "before": caption})
    held: list[Any] = []
    page.route(re.compile("studio/(tags|complete)"), lambda route: held.append(route))  # noqa: PLW0108 - no builtin
    page.keyboard.press("ArrowRight")
    page.keyboard.press("t")
    page.keyboard.press("Enter")
    page.keyboard.type("c")
    wait_until(lambda: page.evaluate("1") and len(held) == 1)
    held.pop().continue_()
    expect(page.get_by_role("listbox", name="Tags of this dataset")).to_contain_text("chair")
    page.keyboard.type("atf")
    page.keyboard.press("Tab")
    wait_until(lambda: page.evaluate("1") and held)
    while held:
        held.pop().continue_()
    tags = page.get_by_role("list", name="Tags", exact=True)
    expect(tags.get_by_role("button", name="catfish", exact=True)).to_be_visible()
    expect(tags.get_by_role("button", name="chair", exact=True)).to_have_count(0)
    page.keyboard.press("/")
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("sta")
    page.keyboard.press("Tab")
    wait_until(lambda: page.evaluate("1") and held)
    while held:
        held.pop().continue_()
    search = page.get_by_role("combobox", name="Find")
    expect(search).to_have_value("status:")
    page.unroute(re.compile("studio/(tags|complete)"))
    page.keyboard.type("do")
    page.keyboard.press("Tab")
    expect(search).to_have_value("status:done ")


def test_nothing_is_applied_that_was_not_seen(studio: Any, page: Any) -> None:
    page.keyboard.press("Control+h")
    panel = page.get_by_role("region", name="Edit many captions")
    page.keyboard.type("cat")
    page.keyboard.press("Tab")
    page.keyboard.type("dog")
    expect(panel.locator("ins").first).to_have_text("dog")
    held: list[Any] = []
    page.route("**/studio/preview", lambda route: held.append(route))  # noqa: PLW0108 - no builtin
    page.keyboard.type("s")
    page.keyboard.press("Control+Enter")
    expect(panel.get_by_role("button", name="Apply to 8")).to_be_disabled()
    wait_until(lambda: page.evaluate("1") and held)
    held.pop().continue_()
    expect(panel.locator("ins").first).to_have_text("dogs")
    assert studio.call("GET", "history") == []
    page.unroute("**/studio/preview")
    page.keyboard.press("Control+Enter")
    expect(panel.locator(".outcome")).to_contain_text("8 pictures changed")
    assert (studio.folder / "00.txt").read_text() == "a dogs on a mat, number 0\n"
    assert studio.call("GET", "find?q=status:done") == b""  # the key does nothing else here


def test_a_tab_that_is_closed_loses_no_word_and_needs_no_answer(photos: Path, browser: Any) -> None:
    studio = wait_until_open(start_studio(photos))
    context = browser.new_context()
    blank = context.new_page()
    dialogs: list[str] = []

    def show(row: int) -> Any:
        page = context.new_page()
        page.on("dialog", lambda dialog: dialogs.append(dialog.type) or dialog.accept())
        page.goto(studio.url)
        page.locator(".cell").nth(row).click()
        field = page.get_by_role("textbox", name="Caption", exact=True)
        expect(field).to_be_editable()
        field.press("Control+End")
        return page

    def close(page: Any) -> None:
        page.close(run_before_unload=True)
        wait_until(lambda: blank.evaluate("1") and page.is_closed())

    page = show(0)
    page.keyboard.type(" and more")
    close(page)  # before any pause
    wait_until(lambda: (photos / "00.txt").read_text() == "a cat on a mat, number 0 and more\n")
    assert dialogs == []
    page = show(1)
    studio.process.kill()
    studio.process.wait(PATIENCE)
    page.keyboard.type(" while it is away")
    close(page)
    again = wait_until_open(start_studio(photos, port=int(studio.url.rpartition(":")[2])))
    page = context.new_page()
    page.goto(studio.url)
    wait_until(
        lambda: (
            page.evaluate("1")
            and (photos / "01.txt").read_text() == "a cat on a mat, number 1 while it is away\n"
        )
    )
    (photos / "01.txt").write_text("changed later\n")
    page.close()
    page = context.new_page()
    page.goto(studio.url)
    page.locator(".cell").nth(1).click()
    expect(page.get_by_role("textbox", name="Caption", exact=True)).to_have_value("changed later")
    expect(page.get_by_role("region", name="Two texts")).to_have_count(0)
    context.close()
    stop_studio(again)
