"""Keys that are pressed faster than the server responds do what they do when it responds at once, in their order."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from held_responses import Held
from processes import wait_until
from studio_process import Studio

FIRST = "a cat on a mat, number 0"


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def marks(studio: Studio, row: int = 0) -> list[str]:
    return studio.call("POST", "rows", {"rows": [row]})[0]["marks"]


def propose(studio: Studio, rows: list[int]) -> None:
    body = {"choice": {"model": "fake"}, "policy": "missing", "scope": {"rows": rows}}
    assert studio.job("POST", "generate", body)["captions"] == len(rows)


def to_first_proposal(page: Any) -> None:
    page.locator(".grid").focus()
    page.keyboard.press("j")
    expect(page.locator(".editor .path")).to_have_text("08.jpg")
    expect(page.get_by_role("region", name="Proposal")).to_be_visible()


def test_each_decision_is_about_the_next_proposal(page: Any, studio: Studio) -> None:
    propose(studio, [8, 9, 10, 11])
    to_first_proposal(page)
    held = Held(page, "studio/(accept|reject)$")
    press(page, "a", "r", "a")
    expect(page.locator(".editor .path")).to_have_text("11.jpg")
    held.release()
    wait_until(lambda: page.evaluate("1") and (studio.folder / "10.txt").exists())
    assert (studio.folder / "08.txt").exists()
    assert not (studio.folder / "09.txt").exists()
    expect(page.get_by_label("has a proposal")).to_have_count(1)


def test_a_proposal_that_was_not_accepted_comes_back(page: Any, studio: Studio) -> None:
    propose(studio, [8, 9])
    to_first_proposal(page)
    page.route("**/studio/accept", lambda route: route.abort())
    page.keyboard.press("a")
    expect(page.get_by_text("does not respond").first).to_be_visible()
    expect(page.locator(".editor .path")).to_have_text("08.jpg")
    expect(page.get_by_role("region", name="Proposal")).to_be_visible()
    expect(page.get_by_label("has a proposal")).to_have_count(2)


def test_undo_takes_back_the_mark_that_was_set_just_before(page: Any, studio: Studio) -> None:
    studio.call("PUT", "captions/0", {"caption": "a dog", "before": FIRST})
    expect(page.get_by_role("textbox", name="Caption")).to_have_value("a dog")
    page.locator(".grid").focus()
    held = Held(page, "studio/find")
    press(page, "d", "Control+z")
    held.wait()
    held.release()
    expect(page.get_by_text("undo: ")).to_be_visible()
    assert marks(studio) == []
    assert (studio.folder / "00.txt").read_text() == "a dog\n"


def test_undo_twice_takes_back_the_mark_and_then_what_was_picked(page: Any, studio: Studio) -> None:
    page.locator(".grid").focus()
    held = Held(page, "studio/find")
    press(page, "Shift+ArrowRight", "Shift+ArrowRight", "d", "Control+z", "Control+z")
    held.wait()
    held.release()
    expect(page.get_by_text("undo: ")).to_be_visible()
    expect(page.locator(".chips .pick")).to_have_count(0)
    assert [marks(studio, row) for row in range(3)] == [[], [], []]


def test_undo_twice_takes_back_two_edits(page: Any, studio: Studio) -> None:
    for row in (0, 1):
        before = f"a cat on a mat, number {row}"
        studio.call("PUT", f"captions/{row}", {"caption": "a dog", "before": before})
    expect(page.get_by_role("textbox", name="Caption")).to_have_value("a dog")
    page.locator(".grid").focus()
    held = Held(page, "studio/undo$")
    press(page, "Control+z", "Control+z")
    held.wait()
    held.release()
    wait_until(lambda: page.evaluate("1") and (studio.folder / "00.txt").read_text() == f"{FIRST}\n")
    assert "number 1" in (studio.folder / "01.txt").read_text()


def test_a_mark_set_after_finishing_a_picture_takes_it_off(page: Any, studio: Studio) -> None:
    page.locator(".grid").focus()
    held = Held(page, "studio/captions/", "PUT")
    page.get_by_role("textbox", name="Caption").fill("a dog")
    press(page, "Control+Enter", "Control+ArrowUp", "Escape", "d")
    held.wait()
    sent: list[Any] = []
    page.on("response", lambda response: sent.append(response) if "studio/marks" in response.url else None)
    held.release()
    wait_until(lambda: page.evaluate("1") and len(sent) == 2)
    assert marks(studio) == []


def find(page: Any, query: str) -> None:
    page.keyboard.press("/")
    page.keyboard.type(query)
    press(page, "Enter", "Escape")


def test_keys_after_a_filter_are_about_what_it_finds(page: Any, studio: Studio) -> None:
    held = Held(page, "studio/find.q=%22")
    find(page, '"number 3"')
    press(page, "d", "Control+a", "Enter", "Control+End")
    page.keyboard.type(", asleep")
    press(page, "Control+Enter", "Escape")
    held.wait()
    assert (studio.folder / "00.txt").read_text() == f"{FIRST}\n"
    held.release()
    done = f"{FIRST[:-1]}3, asleep\n"
    wait_until(lambda: page.evaluate("1") and (studio.folder / "03.txt").read_text() == done)
    assert (studio.folder / "00.txt").read_text() == f"{FIRST}\n"
    wait_until(lambda: page.evaluate("1") and marks(studio, 3) == ["done"])
    assert marks(studio) == []
    expect(page.locator(".chips .pick")).to_contain_text("1 picked")


def test_what_is_typed_after_going_to_the_next_missing_caption_is_that_pictures(
    page: Any, studio: Studio
) -> None:
    page.locator(".grid").focus()
    held = Held(page, "studio/find")
    press(page, "j", "Enter")
    page.keyboard.type("a Dog, 1")
    press(page, "Backspace", "Backspace", "Backspace", "Escape", "d")
    held.wait()
    held.release()
    wait_until(lambda: page.evaluate("1") and (studio.folder / "08.txt").exists())
    assert (studio.folder / "08.txt").read_text() == "a Dog"
    wait_until(lambda: page.evaluate("1") and marks(studio, 8) == ["done"])
    assert (studio.folder / "00.txt").read_text() == f"{FIRST}\n"


def test_a_text_that_is_typed_before_the_row_has_come_is_its_caption(page: Any, studio: Studio) -> None:
    held = Held(page, "studio/rows$")
    page.reload()
    held.wait()
    press(page, "Enter")
    expect(page.get_by_role("textbox", name="Caption")).to_be_focused()
    press(page, "Control+a")
    page.keyboard.type("a dog")
    press(page, "Escape")
    held.release()
    wait_until(lambda: page.evaluate("1") and (studio.folder / "00.txt").read_text() == "a dog\n")


def test_keys_that_wait_are_forgotten_where_the_pointer_goes_on(page: Any, studio: Studio) -> None:
    held = Held(page, "studio/find")
    find(page, '"number 3"')
    press(page, "d", "f")
    held.wait()
    page.locator(".cell").nth(1).click()
    expect(page.get_by_text("2 keys that were pressed meanwhile did nothing")).to_be_visible()
    held.release()
    expect(page.locator(".bar .count").first).to_have_text("1 of 12")
    assert [marks(studio, row) for row in (0, 1, 3)] == [[], [], []]


def test_picks_of_a_comparison_are_kept_in_their_order(page: Any, studio: Studio) -> None:
    for number in range(3):
        (studio.folder / f"{number:02}.caption").write_text(f"another, number {number}\n")
    page.keyboard.press("c")
    panel = page.get_by_role("region", name="Compare")
    panel.get_by_role("checkbox", name=".caption").check()
    held = Held(page, "studio/compare$", "POST")
    press(page, "Control+Enter", "1")
    held.wait()
    held.release()
    expect(panel.get_by_text("2 of 3")).to_be_visible()  # the key waited for the comparison
    held = Held(page, "picks/1$", "PUT")
    press(page, "1", "Backspace", "2", "1")
    held.wait()
    held.release()
    expect(panel.get_by_text("3 of 3 compared")).to_be_visible()
    rows = panel.get_by_role("row")
    expect(rows.filter(has_text="captions").get_by_role("cell").first).to_have_text("2")


def test_a_folder_is_gone_into_before_the_next_key_opens_it(page: Any, studio: Studio) -> None:
    inner = studio.folder.parent / "more" / "inner"
    inner.mkdir(parents=True)
    (inner / "only.jpg").write_bytes((studio.folder / "00.jpg").read_bytes())
    page.keyboard.press("o")
    field = page.get_by_role("dialog").get_by_role("combobox", name="Folder")
    expect(page.get_by_role("dialog").get_by_role("option")).not_to_have_count(0)
    field.fill(str(studio.folder.parent))
    held = Held(page, "studio/folders")
    press(page, "Enter")  # lists "more" before "photos"
    press(page, "Enter", "Enter", "Control+Enter")
    held.wait()
    held.release()
    expect(page.locator("h1")).to_have_text("inner")
    studio.open(studio.folder)


def test_what_is_typed_after_the_name_of_a_set_is_not_its_name(page: Any, studio: Studio) -> None:
    page.locator(".grid").focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Keep as…").click()
    page.keyboard.type("mine")
    held = Held(page, "studio/sets/mine$")
    press(page, "Enter", "d")
    held.wait()
    held.release()
    wait_until(lambda: page.evaluate("1") and marks(studio) == ["done"])
    assert list(studio.call("GET", "sets")) == ["mine"]


def test_keys_wait_for_those_that_the_user_has_chosen(page: Any, studio: Studio) -> None:
    studio.call("PUT", "preferences", {"keys": {"flag": ["D"], "done": []}})
    held = Held(page, "studio/preferences$", "GET")
    page.reload()
    held.wait()
    expect(page.get_by_role("textbox", name="Caption")).to_have_value(FIRST)
    page.keyboard.press("d")
    held.release()
    wait_until(lambda: page.evaluate("1") and marks(studio))
    assert marks(studio) == ["flagged"]
    studio.call("PUT", "preferences", {"keys": {}})


def test_an_export_is_started_once(page: Any, studio: Studio) -> None:
    held = Held(page, "studio/captions/", "PUT")
    page.get_by_role("textbox", name="Caption").fill("a dog")
    press(page, "Escape", "e", "Control+Enter", "Control+Enter")
    held.wait()
    held.release()
    expect(page.locator(".side .outcome")).to_contain_text("8 pictures exported")
    page.wait_for_load_state("networkidle")
    assert (
        len([job for job in studio.call("GET", "jobs") if "result" in job and "export" in job["summary"]])
        == 1
    )


def test_an_export_that_a_save_forbids_says_so(page: Any, studio: Studio) -> None:
    page.route("**/studio/captions/*", lambda route: route.abort())
    page.get_by_role("textbox", name="Caption").fill("a dog")
    press(page, "Escape", "e", "Control+Enter")
    expect(page.locator(".side .outcome")).to_contain_text("is not saved: nothing was exported")


def test_a_message_that_comes_before_a_search_responds_stays(page: Any, studio: Studio) -> None:
    page.locator(".grid").focus()
    page.route("**/studio/marks", lambda route: route.abort())
    marking, held = Held(page, "studio/find.q=status"), Held(page, "studio/find.q=cat")
    press(page, "d")
    find(page, "cat")
    held.wait()
    marking.release()
    message = page.locator(".bar").get_by_role("alert").filter(has_text="does not respond")
    expect(message).to_be_visible()
    held.release()
    expect(page.locator(".bar .count").first).to_have_text("8 of 12")
    expect(message).to_be_visible()


def test_tags_are_typed_over_several_pictures_without_leaving_the_field(page: Any, studio: Studio) -> None:
    for key in ("Home", "t", "Enter"):
        page.keyboard.press(key)
    expect(page.get_by_role("combobox", name="Add a tag")).to_be_focused()
    for number, key in enumerate(("Control+Enter", "Control+ArrowDown", "Control+ArrowUp", "Escape")):
        page.keyboard.type(f"tag {number}")
        page.keyboard.press("Enter")
        page.keyboard.press(key)
    expected = ["number 0, tag 0\n", "number 1, tag 1, tag 3\n", "number 2, tag 2\n"]
    wait_until(
        lambda: (
            [(studio.folder / f"0{number}.txt").read_text() for number in range(3)]
            == [f"a cat on a mat, {end}" for end in expected]
        )
    )


def test_tab_behind_keys_that_wait_completes_what_they_type(page: Any, studio: Studio) -> None:
    page.locator(".grid").focus()
    press(page, "/")
    held = Held(page, "studio/complete")
    page.keyboard.type("sta")
    press(page, "Tab")
    page.keyboard.type("do")
    press(page, "Tab")
    held.wait()
    held.release()
    expect(page.get_by_role("combobox", name="Find")).to_have_value("status:done ")


def test_tab_among_keys_that_wait_leads_to_the_next_field(page: Any, studio: Studio) -> None:
    held = Held(page, "studio/preferences$", "GET")
    page.reload()
    held.wait()
    expect(page.get_by_role("textbox", name="Caption")).to_have_value(FIRST)
    press(page, "Control+h")
    page.keyboard.type("cat")
    press(page, "Tab")
    page.keyboard.type("dog")
    held.release()
    panel = page.get_by_role("region", name="Edit many captions")
    expect(panel.get_by_role("textbox", name="Find", exact=True)).to_have_value("cat")
    expect(panel.get_by_role("textbox", name="Replace with")).to_have_value("dog")
