"""How the studio starts and ends, and whom it lets in."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from PIL import Image
from playwright.sync_api import expect

from cutline.cli.app import run
from cutline.dataset.dataset import Dataset
from cutline.dataset.history import History
from cutline.dataset.records import Change, EditInfo
from processes import wait_until
from studio_process import PATIENCE, Studio, start_studio, stop_studio


def damage(photos: Path, kind: str) -> None:
    state = Path(f"{photos}.cutline")
    state.mkdir()
    file = state / "history.sqlite"
    if kind == "newer":
        with sqlite3.connect(file) as database:
            database.execute("PRAGMA user_version = 99")
    else:
        file.write_bytes({"damaged": b"not a database at all" * 100, "zeros": bytes(8192)}[kind])


def test_a_mistake_at_the_start_is_one_line_with_its_cure(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for arguments, message in {
            (f"{photos}/00.jpg",): "give its folder",
            (f"{photos}/nowhere",): "does not exist",
            (f"{photos}", "--port", port): "choose another with --port",
            (f"{photos}", "--port", "99999"): "ports are 0 to 65535",
            (f"{photos}", "--host", "0.0.0.0"): "set --api-key",
            (f"{photos}", "--root", f"{photos}/nowhere"): "is not a folder",
            (f"{photos}", "--one-line"): "--one-a-line",
            (f"{photos}", "--text-encoding", "utf-9"): "utf-9",
        }.items():
            code = run(["studio", *arguments])
            error = capsys.readouterr().err
            assert (code, message in error) == (2, True), error
            assert len(error.strip().splitlines()) <= 2, error


@pytest.mark.parametrize("kind", ["damaged", "newer", "zeros"])
def test_a_history_that_cannot_be_used_is_named_with_its_cure(
    photos: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {file.name: file.read_bytes() for file in photos.iterdir()}
    damage(photos, kind)
    history = Path(f"{photos}.cutline", "history.sqlite")
    for command in (
        ["studio", f"{photos}"],
        ["edit", f"{photos}", "--prefix", "x"],
        ["history", f"{photos}"],
    ):
        assert run(command) == 2
        error = capsys.readouterr().err
        assert str(history) in error
        assert ("newer version" if kind == "newer" else "move it away") in error
        assert len(error.strip().splitlines()) == 1, error
    assert {file.name: file.read_bytes() for file in photos.iterdir()} == before
    history.unlink()  # the cure
    assert run(["edit", f"{photos}", "--prefix", "x"]) == 0
    assert run(["undo", f"{photos}"]) == 0
    assert {file.name: file.read_bytes() for file in photos.iterdir()} == before


def test_the_start_prints_the_address_and_ctrl_c_ends_it(photos: Path) -> None:
    command = [sys.executable, "-m", "cutline", "studio", os.fspath(photos), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    first = process.stdout.readline()
    assert re.fullmatch(r"the studio is at http://127\.0\.0\.1:\d+, Ctrl-C stops it\n", first)
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=PATIENCE)
    assert rest == ""
    assert process.returncode == 0


@pytest.mark.parametrize("command", [("studio",), ("serve", "-m", "fake")])
def test_two_interrupts_end_quietly(photos: Path, command: tuple[str, ...]) -> None:
    folder = [os.fspath(photos)] if command == ("studio",) else []
    process = subprocess.Popen(
        [sys.executable, "-m", "cutline", *command, *folder, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    while "http://127.0.0.1" not in (line := process.stdout.readline()):
        assert line
    process.send_signal(signal.SIGINT)
    time.sleep(0.02)  # two that are pending at once are one
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in rest


def interrupted_edit(photos: Path) -> History:
    """The history of a folder, with an edit that the next opening finishes."""
    history = History(Path(f"{photos}.cutline"))
    before = (photos / "00.txt").read_bytes()
    change = Change(file="00.txt", before=before, after=b"finished")
    history.begin(EditInfo(kind="save", summary="edit"), [change])
    return history


def test_the_page_responds_while_a_folder_is_listed(photos: Path, browser: Any) -> None:
    """Another process writes to the history, for which the opening waits before it lists anything."""
    history = interrupted_edit(photos)
    with history.writing():
        studio = start_studio(photos)
        try:
            state = studio.call("GET", "state")
            assert (state["folder"], state["listing"]) == (None, str(photos))
            studio.call("POST", "rows", {"rows": [0]}, status=409)
            page = browser.new_context().new_page()
            page.goto(studio.url)
            expect(page.get_by_role("status")).to_contain_text(f"Listing the pictures of {photos}")
            assert studio.process.poll() is None
        except BaseException:
            stop_studio(studio)
            raise
    try:
        expect(page.locator(".cell")).to_have_count(12)
        assert studio.call("GET", "state")["listing"] is None
    finally:
        page.context.close()
        stop_studio(studio)
        history.close()


@contextlib.contextmanager
def listing(photos: Path, *options: str) -> Iterator[Studio]:
    """A studio that still lists its folder, which is gone at the end of the block."""
    with contextlib.closing(interrupted_edit(photos)) as history, history.writing():
        studio = start_studio(photos, *options)
        yield studio
        photos.rename(f"{photos} elsewhere")


def test_a_folder_that_cannot_be_opened_after_a_while_ends_the_command_too(
    photos: Path, browser: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    with listing(photos) as studio:
        page = browser.new_context().new_page()
        page.goto(studio.url)
        expect(page.get_by_role("status")).to_contain_text(f"Listing the pictures of {photos}")
    assert studio.process.wait(PATIENCE) == 2
    error = capfd.readouterr().err
    assert error.splitlines()[1:] == [f"cutline: {photos} cannot be read: No such file or directory"]
    expect(page.get_by_text("The studio has ended")).to_be_visible(timeout=PATIENCE * 1000)
    expect(page.get_by_role("main")).to_contain_text(f"{photos} cannot be read")
    page.context.close()


def test_the_studio_stays_for_a_page_that_opens_another_folder_meanwhile(
    photos: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    other = photos.parent / "other"
    shutil.copytree(photos, other)
    interrupted_edit(other).close()
    with concurrent.futures.ThreadPoolExecutor(1) as pages:
        with listing(photos, "--root", os.fspath(photos.parent)) as studio:
            opening = pages.submit(studio.call, "POST", "open", {"folder": os.fspath(other)})
            wait_until(lambda: (other / "00.txt").read_text() == "finished")  # by what opens it
        try:
            assert opening.result(PATIENCE)["folder"] == f"{other}"
            wait_until(lambda: f"{photos} cannot be read" in capfd.readouterr().err)
        finally:
            stop_studio(studio)


def test_a_listing_says_how_far_it_is(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "0.png")
    for number in range(1, 2500):
        (tmp_path / f"{number}.png").hardlink_to(tmp_path / "0.png")
    listed: list[int] = []
    with Dataset(str(tmp_path), listed=listed.append) as dataset:
        assert (listed, len(dataset)) == ([0, 1000, 2000], 2500)
    table = tmp_path / "t.csv"
    table.write_text("image_path,caption\n" + "".join(f"{number}.png,a\n" for number in range(1500)))
    with Dataset(str(table), listed=listed.append) as dataset:
        assert (listed[3:], len(dataset)) == ([0, 1000], 1500)


@pytest.fixture
def locked(photos: Path) -> Iterator[Any]:
    started = start_studio(photos, "--api-key", 's3;c%"ret', "--root", os.fspath(photos.parent))
    yield started
    stop_studio(started)


def test_a_key_is_needed_and_the_page_asks_for_it(locked: Any, browser: Any) -> None:
    for method, path in (("GET", "state"), ("GET", "events"), ("POST", "undo"), ("GET", "pictures/0")):
        assert "key" in locked.call(method, path, {} if method == "POST" else None, status=401)["detail"]
    wrong = {"X-API-Key": "wrong"}
    assert "not accepted" in locked.call("POST", "session", {}, status=401, headers=wrong)["detail"]
    page = browser.new_context().new_page()
    page.goto(locked.url)
    page.get_by_label("Key of this studio").fill("wrong")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("alert")).to_contain_text("the key is not accepted")
    page.get_by_label("Key of this studio").fill('s3;c%"ret')
    page.get_by_role("button", name="Open").click()
    expect(page.locator(".cell")).to_have_count(12)
    expect(page.locator(".editor .view img")).to_have_js_property("naturalWidth", 64)
    page.reload()
    expect(page.locator(".cell")).to_have_count(12)
    page.context.close()
    key = {"X-API-Key": 's3;c%"ret'}
    (locked.folder / "deep").mkdir()
    os.link(locked.folder / "00.jpg", locked.folder / "deep" / "x.jpg")
    assert locked.call("POST", "open", {"folder": f"{locked.folder}/deep"}, headers=key)["rows"] == 1
    (locked.folder.parent / "out").symlink_to("/usr")
    for outside in ("/etc", f"{locked.folder}/../../..", f"{locked.folder.parent}/out", "a\0b", ""):
        refused = locked.call("POST", "open", {"folder": outside}, status=403, headers=key)
        assert "--root" in refused["detail"]
    nowhere = {"folder": f"{locked.folder}/nowhere"}
    assert "does not exist" in locked.call("POST", "open", nowhere, status=422, headers=key)["detail"]


def test_foreign_pages_hosts_and_paths_get_nothing(own_studio: Any) -> None:
    studio = own_studio
    evil = {"Origin": "http://evil.example"}
    rebound = {"Host": "evil.example"}
    for headers in (evil, rebound, {"Origin": "null"}, {**rebound, "Origin": "http://evil.example"}):
        for method, path, body in (
            ("GET", "state", None),
            ("GET", "events", None),
            ("POST", "undo", {}),
            ("PUT", "captions/0", {"caption": "x", "before": None}),
            ("POST", "open", {"folder": "/etc"}),
        ):
            studio.call(method, path, body, status=403, headers=headers)
    above = {"folder": f"{studio.folder.parents[1]}/.."}
    assert "--root" in studio.call("POST", "open", above, status=403)["detail"]
    for path in (
        "..%2f..%2fapp.py",
        "../app.py",
        "%2e%2e/app.py",
        "vendor/../../app.py",
        "/etc/passwd",
        "x%00",
    ):
        with pytest.raises(HTTPError, match="404"):
            urlopen(f"{studio.url}/page/{path}", timeout=PATIENCE)
    for row in ("12", "-1", str(2**62)):
        studio.call("GET", f"pictures/{row}", status=404)
        studio.call("GET", f"thumbnails/{row}", status=404)
        studio.call("GET", f"history/{row}", status=404)
        body = {"rows": [int(row)]}
        status = 422 if int(row) >= 2**31 else 404
        for route in ("rows", "accept", "reject"):
            studio.call("POST", route, body, status=status)
        studio.call("POST", "marks", {**body, "mark": "done"}, status=status)
        studio.call("POST", "preview", {"edit": {"kind": "trim"}, "scope": body}, status=status)
        assert studio.call("GET", f"history?limit={row}&before={row}") == []
    for path in ("find?q=" + "x" * 10_001, "preview/1?start=-1", "pictures/x"):
        studio.call("GET", path, status=422)
    studio.call("POST", "rows", {"rows": [0] * 1001}, status=422)
    huge = {"caption": "x", "before": None}
    studio.call("PUT", "captions/0", huge, status=413, headers={"Content-Length": "64000001"})
    assert studio.call("GET", "history") == []


@pytest.mark.skipif(not hasattr(signal, "SIGSEGV") or os.name != "posix", reason="signals of POSIX")
def test_a_crash_in_compiled_code_says_what_it_was(photos: Path, capfd: pytest.CaptureFixture[str]) -> None:
    studio = start_studio(photos)
    studio.process.send_signal(signal.SIGSEGV)
    assert studio.process.wait(PATIENCE) == -signal.SIGSEGV
    assert "Segmentation fault" in capfd.readouterr().err
