"""What is done before a picture's row has come is about that picture, and about none that was shown before."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from held_responses import Held
from processes import wait_until
from studio_process import Studio

FIRST, LAST = "a cat on a mat, number 0", "299.jpg"


@pytest.fixture
def many(new_folder: Path, picture_bytes: bytes) -> Path:
    """So many pictures that the last ones are loaded once they are looked at."""
    folder = new_folder / "many"
    folder.mkdir()
    for number in range(300):
        (folder / f"{number:03}.jpg").write_bytes(picture_bytes)
    (folder / "000.txt").write_text(f"{FIRST}\n")
    return folder


@pytest.fixture
def picture_bytes(photos: Path) -> bytes:
    return (photos / "00.jpg").read_bytes()


def texts(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in folder.glob("*.txt")}


@pytest.fixture
def last_without_row(page: Any, studio: Studio, many: Path) -> Held:
    """The page shows the last of many pictures, whose row has not come."""
    studio.open(many)
    field = page.get_by_role("textbox", name="Caption")
    expect(field).to_have_value(FIRST)
    expect(page.locator(".cell")).not_to_have_count(0)
    page.wait_for_load_state("networkidle")
    held = Held(page, "studio/rows$")
    page.locator(".grid").focus()
    page.keyboard.press("t")
    page.keyboard.press("End")
    held.wait()
    return held


def test_a_tag_that_is_typed_before_the_row_has_come_is_not_another_pictures(
    page: Any, many: Path, last_without_row: Held
) -> None:
    expect(page.get_by_role("list", name="Tags", exact=True).get_by_role("listitem")).to_have_count(0)
    page.get_by_role("combobox", name="Add a tag").focus()
    page.keyboard.type("dog")
    page.keyboard.press("Enter")
    last_without_row.release()
    expect(page.locator(".editor .path")).to_have_text(LAST)
    page.get_by_role("combobox", name="Add a tag").fill("bird")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    wait_until(lambda: page.evaluate("1") and "bird" in texts(many).get("299.txt", ""))
    assert texts(many)["000.txt"] == f"{FIRST}\n"


def test_a_phrase_before_the_row_has_come_is_not_another_pictures(
    page: Any, studio: Studio, many: Path, last_without_row: Held
) -> None:
    studio.call("PUT", "phrases", {"phrases": ["in the rain"]})
    expect(page.get_by_role("button", name="1 in the rain")).to_be_visible()
    page.keyboard.press("Alt+1")
    last_without_row.release()
    expect(page.locator(".editor .path")).to_have_text(LAST)
    page.keyboard.press("t")
    field = page.get_by_role("textbox", name="Caption")
    field.fill("a bird")
    page.keyboard.press("Escape")
    wait_until(lambda: page.evaluate("1") and "bird" in texts(many).get("299.txt", ""))
    assert texts(many)["000.txt"] == f"{FIRST}\n"


def test_phrases_that_are_not_loaded_are_not_replaced(page: Any, studio: Studio) -> None:
    studio.call("PUT", "phrases", {"phrases": ["in the rain"]})
    held = Held(page, "studio/phrases$")
    page.reload()
    held.wait()
    expect(page.get_by_role("textbox", name="Caption")).to_have_value(FIRST)
    page.locator(".grid").focus()
    page.keyboard.press("Alt+1")
    expect(page.get_by_text("not loaded yet")).to_be_visible()
    held.release()
    expect(page.get_by_role("button", name="1 in the rain")).to_be_visible()
    page.keyboard.press("Alt+1")
    wait_until(lambda: page.evaluate("1") and "in the rain" in (studio.folder / "00.txt").read_text())


def test_a_text_that_is_taken_back_while_it_is_saved_is_taken_back_on_the_disk(
    page: Any, studio: Studio
) -> None:
    """The next picture is shown meanwhile."""
    field = page.get_by_role("textbox", name="Caption")
    expect(field).to_have_value(FIRST)
    held = Held(page, "studio/captions/0$", "PUT")
    field.fill("a dog")
    held.wait()
    assert (studio.folder / "00.txt").read_text() == "a dog\n"
    field.fill(FIRST)
    page.keyboard.press("Control+ArrowDown")
    expect(field).to_have_value("a cat on a mat, number 1")
    held.release()
    wait_until(lambda: page.evaluate("1") and (studio.folder / "00.txt").read_text() == f"{FIRST}\n")


def test_versions_of_the_picture_before_are_not_restored_into_the_next(page: Any, studio: Studio) -> None:
    studio.call("PUT", "captions/0", {"caption": "a dog", "before": FIRST})
    page.keyboard.press("h")
    versions = page.get_by_role("list", name="Versions of this caption")
    expect(versions.get_by_role("button", name="Restore")).to_have_count(1)
    held = Held(page, "studio/history/1$")
    page.locator(".grid").focus()
    page.keyboard.press("ArrowRight")
    held.wait()
    expect(page.get_by_role("heading", name="01.jpg")).to_be_visible()
    expect(versions.get_by_role("button", name="Restore")).to_have_count(0)
    held.release()
    expect(versions.get_by_text("This caption has not been edited.")).to_be_visible()


def test_what_is_typed_for_a_proposal_is_not_that_of_another_folder(
    page: Any, studio: Studio, new_folder: Path
) -> None:
    other = new_folder / "photos 2"
    other.mkdir()
    for file in studio.folder.iterdir():
        if file.is_file():
            (other / file.name).write_bytes(file.read_bytes())
    body = {"choice": {"model": "fake"}, "policy": "append", "scope": {"rows": [0]}}
    studio.job("POST", "generate", body)
    proposal = page.get_by_role("region", name="Proposal")
    proposal.get_by_role("button", name="Change").click()
    field = proposal.get_by_role("textbox", name="Proposal")
    field.fill("a cat of the first folder")
    studio.call("POST", "open", {"folder": os.fspath(other)})
    studio.job("POST", "generate", body)
    expect(page.locator("h1")).to_have_text("photos 2")
    expect(proposal).to_be_visible()
    expect(field).to_have_count(0)
    page.locator(".grid").focus()
    page.keyboard.press("a")
    expect(page.locator(".outcome")).to_contain_text("1 proposal accepted")
    assert "first folder" not in (other / "00.txt").read_text()


def test_rows_that_were_requested_of_another_folder_do_not_keep_those_of_the_next(
    page: Any, studio: Studio, many: Path
) -> None:
    held = Held(page, "studio/rows$")
    page.reload()
    held.wait()
    studio.open(many)
    expect(page.locator(".bar .count").first).to_have_text("300 of 300")
    page.evaluate("() => new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)))")
    held.release()
    expect(page.locator(".cell").first).to_have_attribute("title", re.compile("000.jpg"))
