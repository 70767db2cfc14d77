"""What is typed or done stays when a response comes late, or the page is drawn again meanwhile."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import expect

from held_responses import Held
from processes import wait_until
from studio_process import Studio


def marked(page: Any, name: str = "done") -> Any:
    """A mark of the picture that is shown, which comes with its row."""
    return page.get_by_role("group", name="Find by what this picture has").get_by_role("button", name=name)


def test_a_tag_that_is_changed_keeps_what_is_typed(page: Any, studio: Studio) -> None:
    """Another program adds a tag before it meanwhile, which is drawn at once, and stays."""
    page.keyboard.press("t")
    page.get_by_role("button", name="number 0", exact=True).click()
    page.keyboard.type("number")
    caption = "a cat on a mat, number 0"
    studio.call("PUT", "captions/0", {"caption": f"new, {caption}", "before": caption})
    expect(page.get_by_role("button", name="Remove new")).to_be_visible()
    expect(page.get_by_role("textbox", name="Change number 0")).to_have_value("number")
    page.keyboard.type(" nought")
    page.keyboard.press("Enter")
    wait_until(lambda: (studio.folder / "00.txt").read_text() == "new, a cat on a mat, number nought\n")


def test_a_row_that_was_requested_before_a_save_does_not_bring_the_old_text(
    page: Any, studio: Studio
) -> None:
    field = page.get_by_role("textbox", name="Caption")
    expect(field).to_have_value("a cat on a mat, number 0")
    held = Held(page, "studio/rows$")
    studio.call("POST", "marks", {"rows": [0], "mark": "done"})
    held.wait()
    field.fill("a dog")
    page.keyboard.press("Escape")
    expect(page.locator(".editor").get_by_text("Saved", exact=True)).to_be_visible()
    held.release()
    expect(marked(page)).to_be_visible()
    expect(field).to_have_value("a dog")
    page.keyboard.press("Enter")
    page.keyboard.press("Control+End")
    page.keyboard.type(" on a mat")
    page.keyboard.press("Escape")
    wait_until(lambda: (studio.folder / "00.txt").read_text() == "a dog on a mat\n")


def test_a_mark_set_twice_at_once_is_off(page: Any, studio: Studio) -> None:
    page.locator(".grid").focus()
    sent: list[Any] = []
    page.on("response", lambda response: sent.append(response) if "studio/marks" in response.url else None)
    page.keyboard.press("d")
    page.keyboard.press("d")
    wait_until(lambda: page.evaluate("1") and len(sent) == 2)
    assert studio.call("POST", "rows", {"rows": [0]})[0]["marks"] == []


def test_a_filter_that_is_typed_while_the_place_is_restored_stays(page: Any, studio: Studio) -> None:
    studio.call("PUT", "place", {"query": "number", "row": 5, "picked": [1]})
    held = Held(page, "studio/place$", "GET")
    page.reload()
    held.wait()
    search = page.get_by_role("combobox", name="Find")
    search.fill("cat")
    held.release()
    expect(page.locator(".bar .count").first).to_have_text("8 of 12")
    page.wait_for_load_state("networkidle")
    expect(search).to_have_value("cat")
    expect(page.locator(".chips .pick")).to_have_count(0)


def test_what_is_typed_in_place_of_a_proposal_stays_when_another_is_made(page: Any, studio: Studio) -> None:
    def propose(model: str) -> None:
        body = {"choice": {"model": model}, "policy": "overwrite", "replaces_person": True}
        studio.job("POST", "generate", {**body, "scope": {"rows": [0]}, "again": True})

    propose("fake")
    proposal = page.get_by_role("region", name="Proposal")
    expect(proposal.locator(".figures")).to_contain_text("fake")
    proposal.get_by_role("button", name="Change").click()
    page.keyboard.press("Control+a")
    page.keyboard.type("a cat,")
    propose("pixels")
    expect(proposal.locator(".figures")).to_contain_text("pixels")
    page.keyboard.type(" as I see it")
    page.keyboard.press("Control+Enter")
    wait_until(lambda: (studio.folder / "00.txt").read_text() == "a cat, as I see it\n")


def test_a_proposal_that_was_decided_about_is_not_decided_about_again(page: Any, studio: Studio) -> None:
    body = {"choice": {"model": "fake"}, "policy": "append", "scope": {"rows": [0]}}
    studio.job("POST", "generate", body)
    expect(page.get_by_role("region", name="Proposal")).to_be_visible()
    held = Held(page, "studio/rows$")
    page.locator(".grid").focus()
    page.keyboard.press("r")
    expect(page.get_by_text("1 proposal rejected.")).to_be_visible()
    page.keyboard.press("a")
    expect(page.get_by_text("This picture has no proposal.")).to_be_visible()
    held.release()


def test_stop_words_that_are_typed_on_while_they_are_saved_stay(page: Any, studio: Studio) -> None:
    page.keyboard.press("w")
    panel = page.get_by_role("region", name="Words")
    panel.get_by_role("button", name="Edit…").click()
    field = panel.get_by_role("textbox", name="Stop words", exact=True)
    expect(field).to_have_value(re.compile("the"))
    field.fill("cat")
    held = Held(page, "stop-words/en$", "PUT")
    panel.get_by_role("button", name="Save", exact=True).click()
    held.wait()
    field.focus()
    page.keyboard.press("End")
    page.keyboard.type(" mat")
    held.release()
    expect(panel.get_by_role("button", name="Reset")).to_be_visible()
    expect(field).to_have_value("cat mat")


def test_an_export_waits_for_the_filter(page: Any, studio: Studio) -> None:
    held = Held(page, "studio/find")
    page.keyboard.press("/")
    page.keyboard.type('"number 3"')
    for key in ("Enter", "Escape", "e", "Control+Enter"):
        page.keyboard.press(key)
    held.wait()
    held.release()
    expect(page.locator(".side .outcome")).to_contain_text("1 picture exported")


def test_a_filter_without_response_exports_nothing(page: Any, studio: Studio) -> None:
    page.route(re.compile("studio/find"), lambda route: route.abort())
    page.keyboard.press("/")
    page.keyboard.type('"number 3"')
    for key in ("Enter", "Escape", "e", "Control+Enter"):
        page.keyboard.press(key)
    expect(page.locator(".side .outcome")).to_contain_text("The search got no response")
    assert not list(studio.folder.parent.glob("*.zip"))


def test_a_panel_opens_before_the_next_key_while_a_save_is_under_way(page: Any, studio: Studio) -> None:
    held = Held(page, "studio/captions/", "PUT")
    page.get_by_role("textbox", name="Caption").fill("a dog")
    for key in ("Escape", "e", "Control+Enter"):
        page.keyboard.press(key)
    held.wait()
    held.release()
    expect(page.locator(".side .outcome")).to_contain_text("8 pictures exported")
    assert studio.call("POST", "rows", {"rows": [0]})[0]["marks"] == []


def test_a_start_that_failed_stays_told_after_the_pictures_are_counted(page: Any, studio: Studio) -> None:
    page.keyboard.press("g")
    panel = page.get_by_role("region", name="Generate captions")
    panel.get_by_role("combobox", name="Captioner").select_option("own")
    panel.get_by_role("textbox", name="Model").fill("nope")
    start = panel.get_by_role("button", name="Propose captions for 4")
    expect(start).to_be_enabled()
    with page.expect_response(re.compile("studio/generate$")):
        start.click()
    with page.expect_response(re.compile("studio/estimate$")) as counted:
        counted.value.finished()
    page.evaluate("() => new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)))")
    expect(panel.get_by_role("alert")).to_contain_text("names no provider")
    panel.get_by_role("textbox", name="Model").fill("fake")
    expect(panel.get_by_role("alert")).to_have_count(0)


def test_suggestions_that_come_after_the_tag_was_added_do_not_hold_its_field(
    page: Any, studio: Studio
) -> None:
    page.keyboard.press("t")
    page.keyboard.press("Enter")
    field = page.get_by_role("combobox", name="Add a tag")
    expect(field).to_be_focused()
    held = Held(page, "studio/tags")
    page.keyboard.type("number")
    held.wait()
    page.keyboard.press("Enter")
    held.release()
    page.evaluate("() => new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)))")
    expect(field).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("Escape")
    expect(field).not_to_be_focused()
    wait_until(lambda: (studio.folder / "00.txt").read_text() == "a cat on a mat, number 0, number\n")


def test_the_place_of_a_page_that_was_left_is_not_that_of_the_next_folder(studio: Studio) -> None:
    studio.call("PUT", "place", {"query": "cat", "folder": str(studio.folder)})
    studio.call("PUT", "place", {"query": "dog", "folder": f"{studio.folder}-before"})
    assert studio.call("GET", "place")["query"] == "cat"
