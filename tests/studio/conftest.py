"""A studio in another process, and a real browser that opens it."""

from __future__ import annotations

import dataclasses
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from PIL import Image

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 60.0  # seconds, on a busy machine


@dataclasses.dataclass
class Studio:
    """``call`` sends a request to it and returns what it answers."""

    url: str
    folder: Path
    process: subprocess.Popen[bytes]

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        data = orjson.dumps(body) if body is not None else None
        sent = {"Content-Type": "application/json", **(headers or {})}
        request = urllib.request.Request(f"{self.url}/studio/{path}", data, sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as response:
                code, content = response.status, response.read()
                kind = response.headers.get("Content-Type", "")
        except urllib.error.HTTPError as error:
            code, content, kind = error.code, error.read(), "application/json"
        assert code == status, content
        return orjson.loads(content) if "json" in kind else content

    def job(self, method: str, path: str, body: Any = None) -> Any:
        """The result of a job, once it has ended."""
        number = self.call(method, path, body, status=202)["job"]
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            state = next(job for job in self.call("GET", "jobs") if job["job"] == number)
            if state["is_over"]:
                return state["result"]
            time.sleep(0.05)
        raise AssertionError("the job does not end")


def start_studio(folder: Path, *options: str, port: int = 0) -> Studio:
    """Start `cutline studio` and wait until it responds."""
    if not port:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
    command = [sys.executable, "-m", "cutline", "studio", os.fspath(folder), "--port", str(port), *options]
    environment = {**os.environ, "XDG_CACHE_HOME": os.fspath(folder.parent / "cache")}
    process = subprocess.Popen(command, env=environment)
    studio = Studio(f"http://127.0.0.1:{port}", folder, process)
    end = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None, "the studio did not start"
        try:
            with urllib.request.urlopen(studio.url, timeout=PATIENCE):
                return studio
        except OSError:
            assert time.monotonic() < end, "the studio does not respond"
            time.sleep(0.1)


def stop_studio(studio: Studio) -> None:
    studio.process.terminate()
    studio.process.wait(PATIENCE)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve pictures, eight of them with a caption."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(12):
        Image.new("RGB", (64, 48), (20 * number, 90, 160)).save(folder / f"{number:02}.jpg")
        if number < 8:
            (folder / f"{number:02}.txt").write_text(f"a cat on a mat, number {number}\n")
    return folder


@pytest.fixture
def studio(photos: Path) -> Iterator[Studio]:
    started = start_studio(photos)
    yield started
    stop_studio(started)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, headless; skips the test where there is none. CUTLINE_BROWSER names another one."""
    from playwright.sync_api import sync_playwright

    found = os.environ.get("CUTLINE_BROWSER") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found:
        pytest.skip("needs a browser: install chromium, or set CUTLINE_BROWSER")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any, studio: Studio) -> Iterator[Any]:
    """The studio's page; the test fails if it logs an error or requests anything from elsewhere."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE * 1000)
    opened = context.new_page()
    complaints: list[str] = []
    # Chromium logs every response that is an error, which the page shows.
    opened.on(
        "console",
        lambda message: "Failed to load resource" in message.text or complaints.append(message.text),
    )
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on(
        "request",
        lambda request: (
            request.url.startswith((studio.url, "blob:", "data:")) or complaints.append(request.url)
        ),
    )
    opened.goto(studio.url)
    opened.wait_for_selector(".cell")
    yield opened
    context.close()
    assert not complaints
