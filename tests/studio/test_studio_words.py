"""The words of captions in the studio: counted, compared, filtered by, and replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import expect

from processes import wait_until
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
    expect(panel.get_by_role("row").nth(1)).to_contain_text("6100.0 %+")
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


def test_the_words_are_saved_as_files(studio: Studio, page: Any) -> None:
    page.keyboard.press("w")
    for name, begin in (("CSV", b"term,occurrences"), ("SVG", b"<svg")):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Save as {name}").click()
        assert Path(download.value.path()).read_bytes().startswith(begin)


def test_the_panel_has_no_barriers(studio: Studio, page: Any) -> None:
    page.keyboard.press("w")
    expect(page.get_by_role("row").nth(1)).to_be_visible()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
