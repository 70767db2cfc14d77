"""The first minutes: no folder, sample pictures, the choice of a folder, and the tour."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import expect

from processes import wait_until
from studio_process import PATIENCE, Studio, start_studio, stop_studio, wait_until_open


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A studio of an empty folder."""
    folder = tmp_path_factory.mktemp("first") / "my photos"
    folder.mkdir()
    started = start_studio(folder)
    yield started
    stop_studio(started)


@pytest.fixture
def bare_page(browser: Any, bare: Studio, open_page: Any) -> Iterator[Any]:
    with open_page(browser, bare, ready="#app > *") as shown:
        yield shown


def test_an_empty_folder_says_what_to_do_and_sample_pictures_are_one_click(
    bare_page: Any, bare: Studio
) -> None:
    page, folder = bare_page, bare.folder
    expect(page.get_by_role("heading", name=f"There are no pictures in {folder}")).to_be_visible()
    expect(page.get_by_role("region", name="Get a real model").locator("pre")).to_contain_text("--model")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page)
        assert not found.violations_count, found.generate_report()
    page.get_by_role("button", name="Look there again").click()
    expect(page.get_by_role("alert")).to_contain_text("still no pictures")
    expect(page.get_by_role("textbox", name="New folder")).to_have_value(f"{folder}")
    page.get_by_role("button", name="Make sample pictures").click()
    expect(page.get_by_text("13 of 13")).to_be_visible(timeout=PATIENCE * 1000)
    assert (folder / "sunset.txt").read_text().startswith("The image shows")
    with Image.open(folder / "mountains.webp") as image:
        assert (image.format, image.size) == ("WEBP", (1024, 768))
    expect(page.get_by_role("complementary", name="Tour of five keys")).to_be_visible()
    assert bare.call("GET", "folders")["recent"] == [
        {"folder": f"{folder}", "sidecar_ext": ".txt", "one_a_line": False, "problem": ""}
    ]
    refused = bare.call("POST", "samples", {"folder": f"{folder}"}, status=409)
    assert "not empty" in refused["detail"]
    for outside in ("/etc/x", f"{folder}/../x", f"{folder}/a/../../x"):
        bare.call("POST", "samples", {"folder": outside}, status=403)


def test_who_has_seen_all_of_the_tour_has_seen_it_without_a_click(page: Any, studio: Studio) -> None:
    studio.call("PUT", "preferences", {"tips": False})
    tour = page.get_by_role("complementary", name="Tour of five keys")
    for _ in range(5):
        tour.get_by_role("button", name="Next key").click()
    expect(tour).to_contain_text("That is all.")
    wait_until(lambda: studio.call("GET", "preferences")["tips"])
    expect(tour).to_contain_text("That is all.")
    page.reload()
    expect(page.locator(".cell")).to_have_count(12)
    page.wait_for_load_state("networkidle")
    expect(tour).to_have_count(0)


def test_the_tour_that_was_closed_stays_so_where_that_cannot_be_kept(page: Any, studio: Studio) -> None:
    studio.call("PUT", "preferences", {"tips": False})
    tour = page.get_by_role("complementary", name="Tour of five keys")
    expect(tour).to_be_visible()
    page.route("**/studio/preferences", lambda route: route.abort())
    tour.get_by_role("button", name="Skip the tour").click()
    expect(tour).to_have_count(0)


def test_the_tour_of_five_keys_follows_the_keys_and_is_shown_once(page: Any, studio: Studio) -> None:
    studio.call("PUT", "preferences", {"tips": False})
    tour = page.get_by_role("complementary", name="Tour of five keys")
    expect(tour).to_contain_text("moves to the next picture")
    page.keyboard.press("ArrowRight")
    expect(tour).to_contain_text("begins to edit its caption")
    page.keyboard.press("Enter")
    page.keyboard.press("Control+Enter")
    expect(tour).to_contain_text("edits many captions")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+h")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+z")
    tour.get_by_role("button", name="End the tour").click()
    expect(tour).to_have_count(0)
    wait_until(lambda: studio.call("GET", "preferences")["tips"])
    page.reload()
    expect(page.locator(".cell")).to_have_count(12)
    expect(tour).to_have_count(0)
    page.keyboard.press("?")
    page.get_by_role("button", name="Tour of five keys").click()
    expect(tour).to_contain_text("Key 1 of 5")
    tour.get_by_role("button", name="Skip the tour").click()
    expect(tour).to_have_count(0)


def test_a_folder_is_chosen_by_keys(page: Any, studio: Studio, new_folder: Path) -> None:
    other = new_folder / "more" / "of them"
    other.mkdir(parents=True)
    for number in range(3):
        Image.new("RGB", (32, 32)).save(other / f"{number}.png")
    (other / "0.caption").write_text("first\nsecond\n")
    (new_folder / ".hidden").mkdir()
    (new_folder / "photos.cutline").mkdir()
    page.keyboard.press("o")
    dialog = page.get_by_role("dialog", name="Open a folder")
    field = dialog.get_by_role("combobox", name="Folder")
    field.fill(f"{new_folder}")
    page.keyboard.press("Enter")
    folders = dialog.get_by_role("listbox", name="Folders").get_by_role("option")
    expect(folders).to_have_text(["more 3 pictures", "photos 12 pictures"])
    found = Axe().run(page)
    assert not found.violations_count, found.generate_report()
    page.keyboard.press("Enter")
    expect(folders).to_have_text(["of them 3 pictures"])
    page.keyboard.press("Alt+ArrowUp")
    expect(folders).to_have_count(2)
    page.keyboard.press("Enter")
    expect(folders).to_have_count(1)
    page.keyboard.press("Enter")
    expect(field).to_have_value(f"{other}")
    dialog.get_by_role("textbox", name="Captions end in").fill("caption")
    dialog.get_by_role("checkbox").check()
    page.keyboard.press("Control+Enter")
    expect(dialog).to_have_count(0)
    expect(page.locator(".cell")).to_have_count(3)
    assert studio.call("POST", "rows", {"rows": [0]})[0]["caption"] == "first\nsecond"
    recent = studio.call("GET", "folders")["recent"]
    assert recent[0] == {"folder": f"{other}", "sidecar_ext": ".caption", "one_a_line": True, "problem": ""}
    page.keyboard.press("o")
    dialog.get_by_role("button", name=f"{new_folder}/photos").click()
    expect(page.locator(".cell")).to_have_count(12)
    for path, status in (("/etc", 403), (f"{new_folder}/../../..", 403), (f"{new_folder}/nowhere", 422)):
        studio.call("GET", f"folders?path={path}", status=status)
    page.keyboard.press("o")
    row = '{"image_id": "00.jpg", "image_path": "photos/00.jpg", "caption": "of a run"}\n'
    (new_folder / "out.jsonl").write_text(row)
    (new_folder / "out.jsonl.failures.jsonl").write_text("")
    (new_folder / "photos" / "00.json").write_text("{}")
    with tarfile.open(new_folder / "shard.tar", "w") as tar:
        tar.add(new_folder / "photos" / "01.jpg", "01.jpg")
    field.fill(f"{new_folder}")
    page.keyboard.press("Enter")
    expect(folders).to_have_text(
        ["more 3 pictures", "photos 12 pictures", "out.jsonl table, 1 KB", "shard.tar shard, 11 KB"]
    )
    page.keyboard.press("PageDown")
    page.keyboard.press("Enter")
    expect(page.locator(".cell")).to_have_count(1)
    expect(page.locator(".folder")).to_have_text("shard.tar")
    page.keyboard.press("o")
    field.fill(f"{new_folder}")
    page.keyboard.press("Enter")
    folders.filter(has_text="out.jsonl").click()
    expect(page.locator(".folder")).to_have_text("out.jsonl")
    assert studio.call("POST", "rows", {"rows": [0]})[0]["caption"] == "of a run"
    listed = studio.call("GET", f"folders?path={new_folder}/photos")
    assert listed["outputs"] == []  # the JSON of a picture is none
    assert studio.call("GET", "folders")["recent"][0]["folder"] == f"{new_folder}/out.jsonl"
    page.keyboard.press("o")
    field.fill(f"{new_folder}/nowhere")
    page.keyboard.press("Control+Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("does not exist")


def test_without_a_folder_the_studio_starts_in_the_working_folder(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (32, 32)).save(tmp_path / "pictures" / "1.jpg")
    environment = {
        **os.environ,
        "XDG_STATE_HOME": f"{tmp_path}/.state",
        "XDG_CACHE_HOME": f"{tmp_path}/.cache",
    }
    command = [sys.executable, "-m", "cutline", "studio", "--port", "0"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[4].rstrip(",")
        studio = Studio(url, tmp_path, process)
        assert studio.call("GET", "state") == {
            "folder": None,
            "empty": None,
            "failed": "",
            "listing": None,
            "listed": 0,
        }
        listed = studio.call("GET", "folders")
        assert (listed["path"], listed["parent"]) == (os.path.realpath(tmp_path), None)
        assert [(one["name"], one["pictures"]) for one in listed["folders"]] == [("pictures", 1)]
        assert studio.call("POST", "open", {"folder": f"{tmp_path}/pictures"})["rows"] == 1
        refused = studio.call("POST", "open", {"folder": f"{tmp_path}/.cache"}, status=422)
        assert "no pictures" in refused["detail"]
        assert studio.call("GET", "state")["rows"] == 1
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


def test_folders_outside_the_roots_name_the_command_that_opens_them(
    photos: Path, new_folder: Path, browser: Any
) -> None:
    other = new_folder / "other one"
    other.mkdir()
    Image.new("RGB", (8, 8)).save(other / "1.jpg")
    stop_studio(wait_until_open(start_studio(other)))
    (photos / "elsewhere").symlink_to(other)
    (photos / "elsewhere.jsonl").symlink_to(other / "1.jpg")
    (photos / "here").symlink_to(photos)
    studio = wait_until_open(start_studio(photos))
    try:
        listed = studio.call("GET", f"folders?path={photos}")
        assert [one["name"] for one in listed["folders"] + listed["outputs"]] == ["here"]
        command = f"cutline studio '{other}' --root {new_folder}"
        refused = studio.call("POST", "open", {"folder": f"{other}"}, status=403)
        assert command in refused["detail"]
        recent = studio.call("GET", "folders")["recent"]
        assert [command in one["problem"] for one in recent[:2]] == [False, True]
        page = browser.new_context().new_page()
        page.goto(studio.url)
        expect(page.locator(".cell")).to_have_count(12)
        page.keyboard.press("o")
        dialog = page.get_by_role("dialog", name="Open a folder")
        expect(dialog.get_by_role("button", name=f"{other}")).to_be_disabled()
        dialog.get_by_role("combobox", name="Folder").fill(f"{other}")
        page.keyboard.press("Enter")
        expect(dialog.get_by_role("alert")).to_contain_text(command)
        expect(dialog.get_by_text("No folders, tables or tars")).to_have_count(0)
        page.context.close()
    finally:
        stop_studio(studio)
