"""A studio in another process, and a real browser that opens it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from studio_process import PATIENCE, Studio, start_studio, stop_studio

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


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


@pytest.fixture(scope="module")  # its event loop must not be there for the tests of other files
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
