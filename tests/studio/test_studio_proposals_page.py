"""Captions by models in the studio's page: the panel, and proposals decided about by keys."""

from __future__ import annotations

import re
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from processes import wait_until
from studio_process import PATIENCE, Studio


def propose(studio: Studio, rows: list[int], policy: str = "append") -> None:
    body = {"choice": {"model": "fake"}, "policy": policy, "scope": {"rows": rows}}
    assert studio.job("POST", "generate", body)["captions"] == len(rows)


def test_missing_captions_are_proposed_by_keys_alone(page: Any, studio: Studio) -> None:
    page.keyboard.press("g")
    panel = page.get_by_role("region", name="Generate captions")
    captioner = panel.get_by_role("combobox", name="Captioner")
    expect(captioner).to_be_focused()
    expect(captioner).to_have_value("pixels")  # all are listed
    captioner.press("f")  # selects the first that begins so
    expect(captioner).to_have_value("fake")
    expect(panel.get_by_text("4 pictures to caption")).to_be_visible()
    expect(panel.get_by_role("button", name="Propose captions for 4")).to_be_enabled()
    page.keyboard.press("Control+Enter")
    expect(panel.get_by_text("4 captions proposed.")).to_be_visible()
    expect(page.get_by_label("has a proposal")).to_have_count(4)
    assert not (studio.folder / "08.txt").exists()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    proposal = page.get_by_role("region", name="Proposal")
    expect(proposal.locator("ins")).to_contain_text("A picture with checksum")
    page.keyboard.press("a")
    wait_until((studio.folder / "08.txt").exists)
    expect(page.locator(".editor .status")).to_contain_text("09.jpg")  # on to the next one
    page.keyboard.press("r")
    expect(page.locator(".editor .status")).to_contain_text("10.jpg")
    assert not (studio.folder / "09.txt").exists()
    page.keyboard.press("Control+z")
    expect(page.get_by_label("has a proposal")).to_have_count(3)


def test_deciding_about_proposals_where_there_is_none_says_so(page: Any, studio: Studio) -> None:
    propose(studio, [0, 1])
    expect(page.get_by_label("has a proposal")).to_have_count(2)
    page.keyboard.press("/")
    page.keyboard.type("zebra")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(page.locator(".bar .count").first).to_have_text("0 of 12")
    outcome = page.locator(".bar .outcome")
    page.keyboard.press("a")
    expect(outcome).to_contain_text("0 proposals accepted.")
    page.keyboard.press("r")
    expect(outcome).to_contain_text("0 proposals rejected.")
    expect(outcome.get_by_role("button", name="Undo")).to_have_count(0)
    page.get_by_role("button", name="Show all pictures").click()
    expect(page.get_by_label("has a proposal")).to_have_count(2)
    page.keyboard.press("Control+a")
    page.keyboard.press("a")
    expect(outcome).to_contain_text("2 proposals accepted.")
    page.keyboard.press("a")
    expect(outcome).to_contain_text("0 proposals accepted.")


def test_a_proposal_is_changed_before_it_is_accepted(page: Any, studio: Studio) -> None:
    propose(studio, [0])
    proposal = page.get_by_role("region", name="Proposal")
    expect(proposal.get_by_text("a cat on a mat, number 0")).to_be_visible()
    proposal.get_by_role("button", name="Change").click()
    field = proposal.get_by_role("textbox", name="Proposal")
    field.fill("a cat, as the model says")
    proposal.get_by_role("button", name="Accept changed").click()
    wait_until(lambda: (studio.folder / "00.txt").read_text() == "a cat, as the model says\n")
    expect(proposal).to_be_hidden()


def test_a_caption_that_was_changed_since_is_shown_beside_its_proposal(page: Any, studio: Studio) -> None:
    propose(studio, [0, 1])
    studio.call("PUT", "captions/0", {"caption": "mine", "before": "a cat on a mat, number 0"})
    proposal = page.get_by_role("region", name="Proposal")
    expect(proposal.get_by_role("alert")).to_contain_text("it was made for “a cat on a mat, number 0”")
    expect(proposal.locator("del")).to_have_text("mine")
    page.keyboard.press("g")
    panel = page.get_by_role("region", name="Generate captions")
    panel.get_by_role("button", name="Show").click()
    expect(page.locator(".bar .count").first).to_have_text("2 of 12")
    expect(proposal.locator("del")).to_have_text("mine")
    page.keyboard.press("ArrowRight")
    expect(proposal.locator("ins")).to_contain_text("A picture with checksum")
    page.get_by_role("combobox", name="Find").fill("")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    panel.get_by_role("radio", name="all").check()
    panel.get_by_role("button", name="Accept all").click()
    expect(panel.locator(".outcome")).to_contain_text("00.jpg")
    assert (studio.folder / "00.txt").read_text() == "mine\n"
    assert "checksum" in (studio.folder / "01.txt").read_text()
    panel.get_by_role("button", name="Reject all").click()
    expect(page.get_by_label("has a proposal")).to_have_count(0)


def test_failures_are_shown_by_kind_and_found_with_a_click(page: Any, studio: Studio) -> None:
    page.keyboard.press("g")
    panel = page.get_by_role("region", name="Generate captions")
    panel.get_by_role("combobox", name="Captioner").select_option("own")
    panel.get_by_role("textbox", name="Model").fill("fake:rejected=1")
    panel.get_by_role("button", name="Propose captions for 4").click()
    kind = panel.get_by_role("region", name="Failures").get_by_role("button", name="rejected: 4")
    kind.click()
    expect(page.locator(".bar .count").first).to_have_text("4 of 12")
    expect(page.get_by_label("failed: rejected")).to_have_count(4)
    panel.get_by_role("textbox", name="Model").fill("nope")
    panel.get_by_role("combobox", name="Captions that are there").select_option("append")
    propose = panel.get_by_role("button", name="Propose captions for")
    expect(propose).to_be_enabled()
    propose.click()
    expect(panel.get_by_role("alert")).to_contain_text("names no provider")


def test_a_generation_is_watched_stopped_and_continued(page: Any, studio: Studio) -> None:
    page.keyboard.press("g")
    panel = page.get_by_role("region", name="Generate captions")
    panel.get_by_role("combobox", name="Captioner").select_option("own")
    panel.get_by_role("textbox", name="Model").fill("fake:latency=0.2,slots=1")
    policy = panel.get_by_role("combobox", name="Captions that are there")
    policy.select_option("overwrite")
    expect(panel.get_by_text("8 were written by a person")).to_be_visible()
    panel.get_by_label("Also what a person wrote (8)").check()
    panel.get_by_role("button", name="Estimate").click()
    expect(panel.get_by_text("measured on 8 pictures")).to_be_visible(timeout=PATIENCE * 1000)
    panel.get_by_role("button", name="Propose captions for 12").click()
    expect(panel.get_by_text("a second")).to_be_visible()
    panel.get_by_role("button", name="Stop").click()
    expect(panel.get_by_role("button", name="Continue")).to_be_visible(timeout=PATIENCE * 1000)
    assert Axe().run(page).violations_count == 0
    panel.get_by_role("button", name="Continue").click()
    expect(page.get_by_label("has a proposal")).to_have_count(12, timeout=PATIENCE * 1000)


def test_one_picture_is_captioned_and_tried_again(page: Any, studio: Studio) -> None:
    page.keyboard.press("End")
    page.keyboard.press("g")
    panel = page.get_by_role("region", name="Generate captions")
    panel.get_by_role("combobox", name="Captioner").select_option("fake")
    panel.get_by_role("combobox", name="Prompt").select_option("short")
    panel.get_by_label("This picture").check()
    panel.get_by_role("button", name="Propose captions for 1", exact=True).click()
    expect(panel.get_by_text("1 caption proposed.")).to_be_visible()
    panel.get_by_role("button", name="Close").click()
    proposal = page.get_by_role("region", name="Proposal")
    expect(proposal.locator("ins")).to_contain_text("prompted by short")
    before = studio.call("GET", "history")[0]["id"]
    proposal.get_by_role("button", name="Try again").click()
    wait_until(lambda: studio.call("GET", "history")[0]["id"] > before)
    page.keyboard.press("h")
    history = page.get_by_role("list", name="Edits")
    expect(history.get_by_text("propose captions by fake").first).to_be_visible()
    expect(history.locator(".figures").first).to_contain_text("fake · short@")


def test_prompts_are_those_of_the_captioner(page: Any) -> None:
    page.keyboard.press("g")
    panel = page.get_by_role("region", name="Generate captions")
    captioner = panel.get_by_role("combobox", name="Captioner")
    prompt = panel.get_by_role("combobox", name="Prompt")
    captioner.select_option("fake")
    prompt.select_option("art")
    captioner.select_option("pixels")
    expect(prompt).to_have_value("")
    offered = prompt.get_by_role("option")
    expect(offered.filter(has_text="alt-text")).to_have_count(1)
    expect(offered.filter(has_text=re.compile("^(art|judge)$"))).to_have_count(0)
    captioner.select_option("fake")
    expect(offered.filter(has_text=re.compile("^(art|judge)$"))).to_have_text(["art"])


def test_other_jobs_are_no_generation(page: Any, studio: Studio) -> None:
    """Such as checks of captions, which have figures of their own."""
    page.keyboard.press("g")
    panel = page.get_by_role("region", name="Generate captions")
    expect(panel.get_by_role("button", name="Propose captions for 4")).to_be_enabled()
    page.evaluate(
        "import('/page/store.js').then(({ jobs }) => { jobs.value = { 99: { job: 99, summary: 'check the captions', total: 3,"
        " done: 1, is_over: false, figures: { lint: null }, result: null } }; })"
    )
    expect(panel.get_by_role("progressbar")).to_have_count(0)
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    expect(panel.get_by_role("button", name="Propose captions for 4")).to_be_enabled()


def test_a_trigger_word_begins_every_proposal(page: Any, studio: Studio) -> None:
    page.keyboard.press("g")
    panel = page.get_by_role("region", name="Generate captions")
    panel.get_by_role("combobox", name="Captioner").select_option("fake")
    panel.get_by_role("textbox", name="Trigger word").fill("ohwx")
    panel.get_by_role("button", name="Propose captions for 4").click()
    expect(page.get_by_label("has a proposal")).to_have_count(4, timeout=PATIENCE * 1000)
    rows = studio.call("POST", "rows", {"rows": [8, 9, 10, 11]})
    assert all(row["proposal"]["caption"].startswith("ohwx, A picture") for row in rows)
