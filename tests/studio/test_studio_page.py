"""The studio in the browser, by keys."""

from __future__ import annotations

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from processes import cutline_here, wait_until


def test_a_caption_is_saved_while_the_next_one_is_opened(page: Any, studio: Any) -> None:
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    field = page.get_by_role("textbox", name="Caption")
    expect(field).to_have_value("a cat on a mat, number 1")
    field.fill("a dog on a mat")
    page.keyboard.press("Control+ArrowDown")
    expect(field).to_have_value("a cat on a mat, number 2")
    wait_until(lambda: (studio.folder / "01.txt").read_text() == "a dog on a mat\n")
    assert (studio.folder / "02.txt").read_text() == "a cat on a mat, number 2\n"


def test_typing_pauses_and_the_caption_is_saved(page: Any, studio: Any) -> None:
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.wait_for_selector("textarea:not([readonly])")
    page.keyboard.type("a new caption")
    expect(page.get_by_role("status")).to_have_text("Saved")
    wait_until(lambda: (studio.folder / "11.txt").read_text() == "a new caption")
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
    second = panel.locator(".changes li").nth(1)
    second.locator("p").click()  # the picture, and the grid at it
    expect(second.locator("img")).to_have_js_property("naturalWidth", 64)
    expect(page.locator(".cell.cursor")).to_contain_text("number 1")
    expect(panel.get_by_text("8 of 12 change")).to_be_visible()
    second.get_by_role("button", name="01.jpg").press("Enter")
    expect(second.locator("img")).to_have_count(0)
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


def test_a_bulk_edit_that_makes_files_utf8_tells_so_before_and_after(studio: Any, page: Any) -> None:
    for number in (0, 1):
        (studio.folder / f"{number:02}.txt").write_bytes(
            f"a cat on a mat, number {number}, très café à Paris".encode("cp1252")
        )
    studio.call("POST", "refresh", {"rows": [0, 1]})
    page.keyboard.press("Control+h")
    page.get_by_role("textbox", name="Find", exact=True).fill("cat")
    page.get_by_role("textbox", name="Replace with").fill("猫")
    panel = page.get_by_role("region", name="Edit many captions")
    expect(panel.locator(".notice")).to_contain_text("2 files in cp1252 would be UTF-8 then")
    assert not Axe().run(page).response["violations"]
    panel.get_by_role("button", name="Apply to 8").click()
    expect(panel.locator(".outcome")).to_contain_text("8 pictures changed. 2 files in cp1252 are UTF-8 now")
    expect(panel.locator(".notice")).to_have_count(0)
    replace = ("--replace", "猫", "cat", "--where", "number", "--dry-run")
    assert "would be UTF-8" not in cutline_here("edit", studio.folder, *replace).stdout
    assert cutline_here("undo", studio.folder).returncode == 0
    replace = ("--replace", "cat", "猫")
    assert "would be UTF-8 then, as their encoding lacks a character: 2 files in cp1252" in " ".join(
        cutline_here("edit", studio.folder, *replace, "--dry-run").stdout.split()
    )
    done = cutline_here("edit", studio.folder, *replace).stderr
    assert "in UTF-8 now, as their encoding lacks a character: 2 files in cp1252" in done


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


def test_marks_are_set_by_keys_and_the_next_picture_that_needs_work_is_found(page: Any, studio: Any) -> None:
    page.keyboard.press("d")
    expect(page.locator(".cell").nth(0).get_by_role("img", name="done")).to_be_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    field = page.get_by_role("textbox", name="Caption")
    field.fill("finished")
    page.keyboard.press("Control+Enter")
    expect(field).to_have_value("a cat on a mat, number 2")
    wait_until(lambda: (studio.folder / "01.txt").read_text() == "finished\n")
    page.keyboard.type(" D F")  # letters in a field do nothing else
    page.keyboard.press("Escape")
    page.keyboard.press("Home")
    page.keyboard.press("u")
    expect(page.locator(".cell.cursor")).to_have_attribute("title", "02.jpg")
    page.keyboard.press("j")
    expect(page.locator(".cell.cursor")).to_have_attribute("title", "08.jpg")
    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("f")
    expect(page.get_by_role("img", name="flagged")).to_have_count(2)
    page.keyboard.press("f")
    expect(page.get_by_role("img", name="flagged")).to_have_count(0)
    expect(page.get_by_role("img", name="done")).to_have_count(2)
    assert (studio.folder / "02.txt").read_text() == "a cat on a mat, number 2 D F\n"


def test_an_edit_of_the_past_is_taken_back_and_a_version_restored(page: Any, studio: Any) -> None:
    edit = {"kind": "suffix", "text": "at night"}
    number = studio.call("POST", "preview", {"edit": edit})["preview"]
    studio.job("POST", "apply", {"preview": number})
    field = page.get_by_role("textbox", name="Caption")
    expect(field).to_have_value("a cat on a mat, number 0 at night")
    field.fill("by hand")
    field.press("Escape")
    page.keyboard.press("h")
    panel = page.get_by_role("region", name="History")
    panel.get_by_role("button", name="Undo suffix 'at night'").click()
    expect(panel.locator(".outcome")).to_contain_text("7 pictures changed")
    panel.locator("summary").click()
    expect(panel.get_by_role("listitem").filter(has_text="00.txt")).to_be_visible()
    wait_until(lambda: (studio.folder / "01.txt").read_text() == "a cat on a mat, number 1\n")
    versions = panel.get_by_role("list", name="Versions of this caption")
    expect(versions.get_by_role("listitem").first).to_contain_text("by hand")
    versions.get_by_role("button", name="Restore").first.click()
    wait_until(lambda: (studio.folder / "00.txt").read_text() == "a cat on a mat, number 0 at night\n")
    found = versions.get_by_role("listitem").last
    expect(found).to_contain_text("as found")
    expect(found.locator("ins")).to_have_count(0)
    expect(versions.get_by_role("listitem").nth(-2).locator("ins")).to_have_text(" at night")
    found.get_by_role("button", name="Restore").click()
    wait_until(lambda: (studio.folder / "00.txt").read_text() == "a cat on a mat, number 0\n")


def test_the_rest_of_an_edit_is_taken_back_once_nothing_is_in_its_way(page: Any, studio: Any) -> None:
    number = studio.call("POST", "preview", {"edit": {"kind": "suffix", "text": "at night"}})["preview"]
    studio.job("POST", "apply", {"preview": number})
    studio.call("PUT", "captions/0", {"caption": "by hand", "before": "a cat on a mat, number 0 at night"})
    page.keyboard.press("h")
    panel = page.get_by_role("region", name="History")
    edits = panel.get_by_role("list", name="Edits").get_by_role("listitem")
    edits.last.get_by_role("button", name="Undo suffix").press("Enter")
    expect(edits.last).to_contain_text("8 pictures · taken back in 7")
    panel.get_by_role("button", name="Undo edit 00.jpg").press("Enter")
    wait_until(lambda: (studio.folder / "00.txt").read_text() == "a cat on a mat, number 0 at night\n")
    edits.last.get_by_role("button", name="Undo the rest").press("Enter")
    wait_until(lambda: (studio.folder / "00.txt").read_text() == "a cat on a mat, number 0\n")
    expect(edits.last.get_by_role("button")).to_have_count(0)


def test_tags_and_text_are_one_string(page: Any, studio: Any) -> None:
    texts = {"caption": "cat,  red mat , night.", "before": "a cat on a mat, number 0"}
    studio.call("PUT", "captions/0", texts)
    expect(page.get_by_role("textbox", name="Caption")).to_have_value(texts["caption"])
    page.keyboard.press("t")
    chips = page.get_by_role("list", name="Tags").get_by_role("listitem")
    expect(chips).to_have_count(3)
    page.keyboard.press("t")
    page.keyboard.press("t")
    wait_until(lambda: (studio.folder / "00.txt").read_text() == "cat,  red mat , night.\n")
    expect(page.get_by_role("region", name="Caption")).to_contain_text("22 characters")
    tags = page.get_by_role("list", name="Tags", exact=True)

    def tag(name: str) -> Any:
        return tags.get_by_role("button", name=name, exact=True)

    page.get_by_role("button", name="Move cat to the right").click()
    page.get_by_role("button", name="Remove night").click()
    tag("cat").click()
    changed = page.get_by_role("textbox", name="Change cat")
    expect(changed).to_be_focused()
    page.keyboard.type("dog")
    page.keyboard.press("Escape")
    expect(chips).to_have_count(2)
    expect(tag("cat")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.type("dog")
    page.keyboard.press("Enter")
    tag("dog").drag_to(tag("red mat"))
    wait_until(lambda: (studio.folder / "00.txt").read_text() == "dog,  red mat.\n")
    tag("red mat").press("Alt+ArrowLeft")
    tag("dog").click()
    page.keyboard.type("cat")
    page.get_by_role("button", name="Remove red mat").focus()  # which keeps what was typed
    expect(tag("cat")).to_be_visible()
    page.get_by_role("combobox", name="Add a tag").fill("snow")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Saved")
    wait_until(lambda: (studio.folder / "00.txt").read_text() == "red mat,  cat, snow.\n")
    page.keyboard.press("Escape")
    page.keyboard.press("t")
    page.get_by_role("textbox", name="Caption").fill("")
    expect(page.locator(".counts")).to_contain_text("0 words · 0 characters · 0 of 77 tokens")
    page.get_by_role("textbox", name="Caption").fill("word " * 80)
    expect(page.locator(".counts .problem")).to_contain_text("of 77 tokens")


@pytest.mark.parametrize(
    ("way", "kept"),
    [
        ("Keep mine", "a dog on a mat, number 0\n"),
        ("Take theirs", "a cat on a red mat, number 0\n"),
        ("Merge", "a dog on a red mat, number 0\n"),
    ],
)
def test_two_texts_of_a_caption_become_one(page: Any, studio: Any, way: str, kept: str) -> None:
    field = page.get_by_role("textbox", name="Caption")
    expect(field).to_have_value("a cat on a mat, number 0")
    (studio.folder / "00.txt").write_text("a cat on a red mat, number 0\n")
    field.fill("a dog on a mat, number 0")
    page.get_by_role("button", name=way).click()
    if way == "Merge":
        page.get_by_role("button", name="Save merged").click()
    expect(page.get_by_role("region", name="Two texts")).to_have_count(0)
    expect(field).to_have_value(kept.strip())
    if way != "Take theirs":
        expect(page.get_by_role("status")).to_have_text("Saved")
    assert (studio.folder / "00.txt").read_text() == kept


def test_help_and_the_command_list_come_from_the_registry(page: Any) -> None:
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    expect(keys.get_by_text("next picture without a caption")).to_be_visible()
    page.keyboard.press("Escape")
    expect(keys).to_have_count(0)
    page.keyboard.press("Control+k")
    page.keyboard.type("pick all")
    page.keyboard.press("Enter")
    expect(page.get_by_text("12 picked")).to_be_visible()
    assert page.get_by_role("button", name="Undo").get_attribute("title") == "undo (Ctrl+Z)"


def test_results_stand_still_and_mistakes_are_pointed_at(page: Any) -> None:
    search = page.get_by_role("combobox", name="Find")
    search.fill('"number 3" OR')
    expect(page.locator(".mistake mark")).to_have_text("OR")
    search.fill('"number 3"')
    expect(page.locator(".cell")).to_have_count(1)
    expect(page.locator(".mistake")).to_have_count(0)
    page.get_by_role("textbox", name="Caption").fill("something else")
    expect(page.locator(".cell.left")).to_have_count(1)
    page.get_by_role("button", name="1 no longer match").click()
    expect(page.locator(".cell")).to_have_count(0)


def test_what_an_undo_brings_into_the_filter_is_shown_or_counted(page: Any) -> None:
    page.keyboard.press("/")
    page.keyboard.type('"number 3" OR "number 4"')
    expect(page.locator(".cell")).to_have_count(2)
    caption = page.get_by_role("textbox", name="Caption")
    caption.fill("something else")
    page.get_by_role("button", name="1 no longer match").click()
    expect(page.locator(".cell")).to_have_count(1)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".cell")).to_have_count(1)
    page.get_by_role("button", name="1 more matches: find again").click()
    expect(page.locator(".cell")).to_have_count(2)

    page.get_by_role("combobox", name="Find").fill('"number 3"')
    expect(page.locator(".cell")).to_have_count(1)
    caption.fill("something else")
    page.get_by_role("button", name="1 no longer match").click()
    expect(page.get_by_text("No picture matches.")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".cell")).to_have_count(1)  # nothing stood there that could move


def test_what_is_filtered_is_exported_and_downloaded(page: Any, studio: Any) -> None:
    page.keyboard.press("/")
    page.keyboard.type('"number 3" OR missing:')
    expect(page.locator(".bar .count").first).to_have_text("5 of 12")
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    panel = page.get_by_role("region", name="Export")
    expect(panel.get_by_role("radio", name="Filter (5)")).to_be_checked()
    panel.get_by_role("button", name="Export", exact=True).click()
    output = studio.folder.parent / "photos-export.zip"
    expect(
        panel.get_by_text(f"1 picture exported to {output}. Without a caption, left out: 4.")
    ).to_be_visible()
    with page.expect_download() as download:
        panel.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "photos-export.zip"
    assert download.value.path().read_bytes() == output.read_bytes()
    panel.get_by_role("combobox", name="Format").select_option("csv")
    panel.get_by_role("textbox", name="Name").fill("photos v1.5")
    panel.get_by_role("button", name="Export", exact=True).click()
    expect(panel.get_by_text(f"exported to {studio.folder.parent / 'photos v1.5.csv'}.")).to_be_visible()
    panel.get_by_role("button", name="Export", exact=True).click()
    expect(
        panel.get_by_text("already exists: choose another, or replace it with “Replace an")
    ).to_be_visible()
    panel.get_by_role("textbox", name="Name").fill("../../elsewhere.zip")
    panel.get_by_role("button", name="Export", exact=True).click()
    expect(panel.get_by_text("output must be a name")).to_be_visible()


def test_axe_finds_nothing_in_the_panels(page: Any, studio: Any) -> None:
    studio.call("POST", "marks", {"rows": [0, 2], "mark": "flagged"})
    page.keyboard.press("Space")
    for keys, shown in (
        ([], ".editor textarea"),
        (["t"], ".tags .chip"),
        (["h"], ".history .list li"),
        (["Control+h"], ".bulk .changes"),
        (["Escape", "?"], "dialog dl"),
        (["Escape", "Control+k"], "dialog .commands"),
    ):
        for key in keys:
            page.keyboard.press(key)
        page.wait_for_selector(shown)
        found = Axe().run(page)
        assert not found.violations_count, found.generate_report()


def test_a_picture_that_cannot_be_shown_says_so(page: Any, studio: Any) -> None:
    for number in range(12):
        expect(page.locator(".cell img").nth(number)).to_have_js_property("naturalWidth", 64)
    (studio.folder / "05.jpg").write_bytes(b"\xff\xd8\xffnot a picture")
    (studio.folder / "06.jpg").unlink()
    page.reload()
    page.wait_for_selector(".cell")
    page.keyboard.press("/")
    page.keyboard.type("path:05")
    expect(page.locator(".cell")).to_have_count(1)
    expect(page.locator(".cell .unshown")).to_have_text("cannot be shown")
    view = page.locator(".editor .view .unshown")
    expect(view).to_have_text("cannot be shown: it is damaged")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("path:06")
    expect(view).to_have_text("06.jpg does not exist any more")
    shown = studio.call("POST", "rows", {"rows": [6]})[0]
    assert shown["color"]  # of the thumbnail that was made before; it would stand behind the words
    expect(page.locator(".cell .unshown")).not_to_have_attribute("style", re.compile("background"))
    (studio.folder / "07.jpg").write_bytes(b"\0 no picture at all")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("path:07")
    expect(view).to_contain_text("07.jpg cannot be shown: ")
