"""The words of captions in the studio: counted, compared, filtered by, and replaced."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import expect

from processes import cutline_here, wait_until
from studio_process import Studio


@pytest.fixture
def photos(new_folder: Path) -> Path:
    """Twelve pictures: half of the captions are of a horse."""
    folder = new_folder / "photos"
    folder.mkdir()
    for number in range(12):
        Image.new("RGB", (32, 24)).save(folder / f"{number:02}.jpg")
        what = "horse in the grass" if number < 6 else "bicycle on the road"
        (folder / f"{number:02}.txt").write_text(f"a man with a {what}")
    return folder


def test_what_a_part_has_more_often_is_found(studio: Studio) -> None:
    found = studio.call("POST", "words", {"scope": {"query": "horse"}, "order": "score", "limit": 2})
    assert {term["term"] for term in found["terms"]} == {"horse", "grass"}
    first = found["terms"][0]
    assert (first["occurrences"], first["share"], first["rest"]) == (6, 1.0, 0.0)
    assert first["score"] > 1
    everything = studio.call("POST", "words", {"stop_words": ["en", "Man"], "contains": "r"})
    assert [term["term"] for term in everything["terms"]] == ["horse", "grass", "road"]
    pairs = studio.call("POST", "words", {"scope": {"rows": [0, 1]}, "phrases": 2, "stop_words": []})
    assert {"term": "a man", "occurrences": 2}.items() <= pairs["terms"][0].items()


def test_counts_follow_an_edit(studio: Studio) -> None:
    studio.call(
        "PUT", "captions/0", {"caption": "a man with a zebra", "before": "a man with a horse in the grass"}
    )
    found = studio.call("POST", "words", {})
    assert {term["term"]: term["pictures"] for term in found["terms"]}["zebra"] == 1


def test_a_word_is_seen_filtered_and_replaced_by_keys(studio: Studio, page: Any) -> None:
    page.keyboard.press("/")
    page.keyboard.type("horse")
    expect(page.get_by_text("6 of 12", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("w")
    panel = page.get_by_role("region", name="Terms")
    expect(panel.get_by_role("row").nth(1)).to_contain_text("6100.0%0.0%+")
    panel.get_by_role("button", name="grass", exact=True).click()
    expect(page.get_by_role("combobox", name="Find")).to_have_value('horse "grass"')
    panel.get_by_role("button", name="man", exact=True).click(modifiers=["Alt"])
    expect(page.get_by_text("0 of 12", exact=True)).to_be_visible()
    page.get_by_role("combobox", name="Find").fill("horse")
    page.get_by_role("button", name="Cloud").press("Enter")
    expect(page.get_by_role("region", name="Word cloud").get_by_role("button", name="horse")).to_be_visible()
    page.get_by_role("button", name="Cloud").press("Enter")
    page.get_by_role("button", name="Replace horse").press("Enter")
    field = page.get_by_label("Replace with")
    expect(field).to_have_value("horse")
    field.fill("pony")
    page.get_by_role("button", name="Apply to 6").press("Enter")
    wait_until(lambda: (studio.folder / "05.txt").read_text() == "a man with a pony in the grass")


def test_a_selection_is_compared_with_what_is_chosen_and_both_ends_are_seen(
    studio: Studio, page: Any
) -> None:
    studio.call("PUT", "sets/riders", {"rows": [6, 7, 8]})
    body = {"scope": {"query": "horse"}, "order": "score", "against": "in:riders"}
    found = {one["term"]: one for one in studio.call("POST", "words", body)["terms"]}
    assert (found["horse"]["rest"], found["man"]["rest"]) == (0, 1)
    body = {"against": "in:riders", "order": "score"}
    found = studio.call("POST", "words", {**body, "reverse": True})["terms"]
    assert found[0]["score"] < 0 < found[-1]["score"]
    studio.call("PUT", "filters/horses", {"query": "horse"})
    page.get_by_role("combobox", name="Find").fill("bicycle")
    page.keyboard.press("Escape")
    page.keyboard.press("w")
    table = page.get_by_role("region", name="Terms")
    expect(table.get_by_role("row").nth(1)).to_contain_text("bicycle")
    page.get_by_label("Compare with").fill("saved:horses")
    expect(page.get_by_role("status").filter(has_text="compared with those of saved:horses")).to_be_visible()
    page.get_by_label("Compare with").fill("in:rider")
    expect(page.get_by_role("alert").filter(has_text="did you mean riders?")).to_be_visible()
    page.get_by_label("Compare with").fill("in:riders")
    expect(page.get_by_role("status").filter(has_text="compared with those of in:riders")).to_be_visible()
    page.get_by_label("All (12)").check()
    expect(table.get_by_role("rowheader", name="Less often here")).to_be_visible()
    table.get_by_role("button", name="Term").click()
    expect(table.get_by_role("row").nth(1)).to_contain_text("bicycle")
    table.get_by_role("button", name="Term").click()
    expect(table.get_by_role("row").nth(1)).to_contain_text("road")


def test_the_cloud_is_text_that_filters(page: Any) -> None:
    page.keyboard.press("w")
    page.get_by_role("button", name="Cloud").click()
    cloud = page.get_by_role("region", name="Word cloud")
    expect(cloud.locator("svg text")).to_have_count(5)
    cloud.get_by_role("button", name="horse").click()
    expect(page.get_by_role("combobox", name="Find")).to_have_value('"horse"')
    cloud.get_by_role("button", name="grass").click(modifiers=["Alt"])
    expect(page.get_by_text("0 of 12", exact=True)).to_be_visible()
    page.get_by_role("button", name="Take off").first.click()
    expect(page.get_by_text("6 of 12", exact=True)).to_be_visible()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_stop_words_are_changed_for_a_dataset(studio: Studio, page: Any) -> None:
    page.keyboard.press("w")
    panel = page.locator(".side.words")
    expect(panel.get_by_role("button", name="horse", exact=True)).to_be_visible()
    panel.get_by_role("button", name="Edit…").click()
    field = panel.get_by_role("textbox", name="Stop words", exact=True)
    expect(field).to_have_value(re.compile("^a about"))
    field.fill("a Horse in the with on")
    panel.get_by_role("button", name="Save", exact=True).click()
    expect(panel.get_by_role("button", name="horse", exact=True)).to_have_count(0)
    shown = cutline_here("words", studio.folder).stdout
    assert "grass" in shown
    assert "horse" not in shown
    panel.get_by_role("button", name="Reset").click()
    expect(panel.get_by_role("button", name="horse", exact=True)).to_be_visible()
    assert "did you mean" in studio.call("GET", "words/stop-words/enn", status=422)["detail"]


def test_the_words_are_saved_as_files(studio: Studio, page: Any) -> None:
    page.keyboard.press("w")
    for name, begin in (("CSV", b"term,occurrences"), ("SVG", b"<svg"), ("PNG", b"\x89PNG")):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Save as {name}").click()
        assert Path(download.value.path()).read_bytes().startswith(begin)


def test_the_panel_has_no_barriers(studio: Studio, page: Any) -> None:
    page.keyboard.press("w")
    expect(page.get_by_role("row").nth(1)).to_be_visible()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_every_column_of_the_words_is_seen_at_1280(studio: Studio, page: Any) -> None:
    """Beside the others' share and the score, which a selection has."""
    page.get_by_role("combobox", name="Find").fill("horse")
    expect(page.get_by_role("button", name="Take off horse")).to_be_visible()
    page.locator(".grid").focus()
    page.keyboard.press("w")
    table = page.get_by_role("region", name="Terms")
    expect(table.get_by_role("columnheader", name="Score")).to_be_visible()
    remove = table.get_by_role("button", name="Remove horse", exact=True)
    expect(remove).to_be_visible()
    assert table.evaluate("box => box.scrollWidth <= box.clientWidth")
    right = remove.bounding_box()["x"] + remove.bounding_box()["width"]
    assert right <= 1280
    remove.click()
    expect(page.get_by_role("textbox", name="Find", exact=True)).to_have_value("horse")
