"""A round on real photos from opening to export, by keys alone: nothing here clicks, or fills a field."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from playwright.sync_api import Locator, expect

from pages import opened
from processes import wait_until
from studio_process import PATIENCE, Studio, start_studio, stop_studio, wait_until_open

COUNT = 8


@pytest.fixture
def photos(new_folder: Path, shared_data: Path) -> Path:
    """Photos of COCO with the first caption that people wrote, the last two without; and the output of a run."""
    source = shared_data / "photos-coco"
    folder = new_folder / "coco"
    folder.mkdir()
    rows = [orjson.loads(line) for line in (source / "captions.jsonl").read_bytes().splitlines()]
    rows = sorted(rows, key=lambda row: row["file"])[:COUNT]
    for number, row in enumerate(rows):
        picture = next(source.glob(f"images/**/{Path(row['file']).name}"))
        shutil.copy(picture, folder / f"{number}.jpg")
        if number < COUNT - 2:
            (folder / f"{number}.txt").write_text(row["captions"][0])
    run = [
        {"image_id": f"{number}.jpg", "caption": row["captions"][1], "model": "people"}
        for number, row in enumerate(rows)
    ]
    (new_folder / "run.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in run))
    return folder


@pytest.fixture
def studio(photos: Path) -> Iterator[Studio]:
    """A studio of an empty folder, in which ``photos`` can be opened."""
    empty = photos.parent / "empty"
    empty.mkdir()
    started = start_studio(empty, "--root", str(photos.parent))
    yield started
    stop_studio(started)


class Keyboard:
    """Keys of a page, and nothing else."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def write(self, text: str) -> None:
        self.page.keyboard.type(text)

    def tab_to(self, what: Locator, back: bool = False) -> None:
        for _ in range(60):
            if what.evaluate("(element) => element === document.activeElement"):
                return
            self.press("Shift+Tab" if back else "Tab")
        raise AssertionError(f"no Tab leads to {what}")


def texts(folder: Path) -> list[str]:
    files = [folder / f"{number}.txt" for number in range(COUNT)]
    return [file.read_text() if file.exists() else "" for file in files]


def at(page: Any, number: int) -> None:
    expect(page.locator(".cell.cursor")).to_have_attribute("title", f"{number}.jpg")
    expect(page.locator(".editor .path")).to_have_text(f"{number}.jpg")


def open_by_keys(keys: Keyboard, folder: Path) -> None:
    keys.press("o")
    expect(keys.page.get_by_role("combobox", name="Folder")).to_be_focused()
    keys.press("Control+a")
    keys.write(f"{folder}")
    keys.press("Control+Enter")
    expect(keys.page.locator(".cell")).to_have_count(COUNT)


def edit(keys: Keyboard, folder: Path, before: list[str]) -> None:
    page = keys.page
    keys.press("ArrowRight")
    at(page, 1)
    expect(page.locator(".editor .view img")).not_to_have_js_property("naturalWidth", 0)
    keys.press("Enter", "Control+End")
    keys.write(" At noon.")
    keys.press("Control+Enter")
    at(page, 2)
    keys.press("Escape", "t", "Enter")
    expect(page.get_by_role("combobox", name="Add a tag")).to_be_focused()
    keys.write("film grain")
    keys.press("Enter", "Escape", "t")
    wait_until(lambda: texts(folder)[2].rstrip(".").endswith(", film grain"))
    assert texts(folder)[1] == f"{before[1]} At noon."
    keys.press("Control+z")
    wait_until(lambda: texts(folder)[2] == before[2])
    keys.press("f", "Home", "Space", "Shift+ArrowRight")
    expect(page.get_by_text("2 picked")).to_be_visible()
    keys.press("d")
    expect(page.get_by_role("img", name="done")).to_have_count(2)
    expect(page.get_by_role("img", name="flagged")).to_have_count(1)
    keys.press("Control+Shift+a")


def generate(keys: Keyboard, folder: Path) -> None:
    page = keys.page
    keys.press("g")
    captioner = page.get_by_role("combobox", name="Captioner")
    expect(captioner).to_be_focused()
    expect(captioner).to_have_value("pixels")
    expect(page.get_by_role("button", name="Propose captions for 2")).to_be_enabled()
    keys.press("Control+Enter")
    expect(page.get_by_text("2 captions proposed.")).to_be_visible(timeout=PATIENCE * 1000)
    keys.press("Escape", "Escape", "j")
    at(page, COUNT - 2)
    proposal = page.get_by_role("region", name="Proposal")
    expect(proposal).to_be_visible()
    keys.press("a")
    wait_until(lambda: texts(folder)[COUNT - 2] != "")
    at(page, COUNT - 1)
    keys.press("r")
    expect(page.get_by_role("img", name="has a proposal")).to_have_count(0)
    assert texts(folder)[COUNT - 1] == ""


def compare(keys: Keyboard) -> None:
    page = keys.page
    keys.press("c")
    run = page.get_by_role("checkbox", name="run.jsonl")
    expect(run).to_be_visible()
    keys.tab_to(run)
    keys.press("Space")
    keys.tab_to(page.locator(".compare").get_by_role("button", name="Compare"))
    keys.press("Enter")
    captions = page.get_by_role("list", name="Captions")
    expect(captions).to_be_visible()
    for _ in range(COUNT - 1):
        keys.press("2")
    verdict = page.get_by_role("status").filter(has_text="run.jsonl")
    expect(verdict).to_be_visible()
    keys.press("Escape", "Escape")


def replace(keys: Keyboard, studio: Studio, folder: Path, word: str) -> None:
    """In what a filter finds, seen before it happens."""
    page = keys.page
    keys.press("/")
    keys.write(f'"{word}"')
    keys.press("Enter", "Escape", "Control+h")
    panel = page.get_by_role("region", name="Edit many captions")
    expect(panel.get_by_role("textbox", name="Find", exact=True)).to_be_focused()
    keys.write(word)
    keys.press("Tab")
    keys.write("[[new]]")
    expect(panel.locator("ins").first).to_have_text("[[new]]")
    keys.press("Control+Enter")
    expect(panel.locator(".outcome")).to_contain_text("changed")
    assert any("[[new]]" in text for text in texts(folder))
    keys.press("Escape", "Escape", "Escape", "x")  # which takes the filter off
    expect(page.locator(".cell")).to_have_count(COUNT)
    wait_until(lambda: studio.call("GET", "place")["query"] == "")  # with which the page is opened again


def test_from_opening_to_export_by_keys_alone(browser: Any, studio: Studio, photos: Path) -> None:
    folder, before = photos, texts(photos)
    with opened(browser, studio.url, wait_for="#app > *") as shown:
        keys = Keyboard(shown.page)
        open_by_keys(keys, folder)
        edit(keys, folder, before)
        generate(keys, folder)
        compare(keys)
        replace(keys, studio, folder, before[0].split()[1])
        assert not [text for text in shown.complaints if "Failed to load resource" not in text]
        assert not [url for url in shown.requests if not url.startswith(studio.url)]
    stop_studio(studio)
    again = wait_until_open(start_studio(folder))
    try:
        with opened(browser, again.url, wait_for=".cell") as shown:
            keys, page = Keyboard(shown.page), shown.page
            expect(page.get_by_role("img", name="done").first).to_be_visible()
            keys.press("Control+z")
            wait_until(lambda: not any("[[new]]" in text for text in texts(folder)))
            keys.press("h")
            expect(page.get_by_role("list", name="Edits")).to_contain_text("taken back")
            keys.press("Escape", "/", "Control+a")
            keys.write("status:done")
            keys.press("Enter", "Escape", "e")
            expect(page.get_by_role("combobox", name="Format")).to_be_focused()
            expect(page.get_by_role("radio", name="Filter")).to_be_checked()
            keys.press("Control+Enter")
            expect(page.locator(".side .outcome")).to_contain_text("pictures exported")
            assert not [text for text in shown.complaints if "Failed to load resource" not in text]
    finally:
        stop_studio(again)
    with zipfile.ZipFile(next(folder.parent.glob("*.zip"))) as archive:
        pairs = orjson.loads(
            archive.read(next(name for name in archive.namelist() if name.endswith(".json")))
        )
    assert len(pairs) == 2
    assert before[0] in orjson.dumps(pairs).decode()
