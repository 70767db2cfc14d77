"""One studio and one browser for each file of tests, in which each test has a folder and a page of its own.

- ``photos``: a new folder of twelve pictures, eight with a caption. A file that needs other pictures defines a
  fixture ``photos`` of its own, which fills and returns a new folder below ``new_folder``.
- ``grouped_photos``: such a folder, of three kinds of captions that make clusters.
- ``studio``: the file's studio with ``photos`` open, all captions read, and nothing in its history. See ``Studio`` for
  its ``call`` and ``job``; ``studio.folder`` is ``photos``. A test may not stop or kill it.
- ``page``: the studio's page in a new browser context; the test fails if the page logs an error or requests anything
  from elsewhere. ``studio.open(folder)`` shows another folder in it.
- ``own_studio``: a studio of the test's own with ``photos`` open, which it may stop, kill and start again.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pages import opened
from studio_process import Studio, start_studio, stop_studio, wait_until_open

_numbers = itertools.count()
USUAL = ("Failed to load resource", "GPU stall due to ReadPixels")
"""What Chromium logs of responses that are errors, which the page shows, and of WebGL without a graphics card."""


def fill(folder: Path, *, pictures: int = 12, captions: int = 8) -> Path:
    """Make a folder of pictures, the first of them with a caption."""
    folder.mkdir()
    for number in range(pictures):
        Image.new("RGB", (64, 48), (20 * number % 256, 90, 160)).save(folder / f"{number:02}.jpg")
        if number < captions:
            (folder / f"{number:02}.txt").write_text(f"a cat on a mat, number {number}\n")
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder below which the file's studio opens folders."""
    return tmp_path_factory.mktemp("studio")


@pytest.fixture
def new_folder(root: Path) -> Path:
    """An empty folder of the test's own below ``root``."""
    folder = root / str(next(_numbers))
    folder.mkdir()
    return folder


@pytest.fixture
def photos(new_folder: Path) -> Path:
    """Twelve pictures, eight of them with a caption."""
    return fill(new_folder / "photos")


GROUPS = {
    "buses": "a {} bus waits at the station in the street",
    "cats": "a {} cat sleeps on a soft bed",
    "food": "a plate of {} pasta with cheese on a table",
}
WORDS = ("red", "small", "big", "white", "old", "quiet")


@pytest.fixture
def grouped_photos(new_folder: Path) -> Path:
    """Six captions about each of three things, and one picture without any."""
    folder = new_folder / "photos"
    for number, (name, text) in enumerate(GROUPS.items()):
        (folder / name).mkdir(parents=True)
        for place, word in enumerate(WORDS):
            picture = Image.new("RGB", (64, 48), (80 * number, 20 * place, 99))
            picture.save(folder / name / f"{place}.jpg")
            (folder / name / f"{place}.txt").write_text(text.format(word))
    Image.new("RGB", (64, 48)).save(folder / "none.jpg")
    return folder


@pytest.fixture(scope="module")
def shared_studio(root: Path) -> Iterator[Studio]:
    """The file's studio; tests take ``studio``, which opens a folder of their own in it."""
    started = start_studio(fill(root / "first", pictures=1), "--root", os.fspath(root))
    yield started
    stop_studio(started)


@pytest.fixture
def studio(shared_studio: Studio, photos: Path) -> Studio:
    """The file's studio with ``photos`` open."""
    shared_studio.open(photos)
    return shared_studio


@pytest.fixture
def own_studio(photos: Path) -> Iterator[Studio]:
    """A studio that the test may stop, with ``photos`` open."""
    started = wait_until_open(start_studio(photos))
    yield started
    stop_studio(started)


@contextlib.contextmanager
def studio_page(browser: Any, studio: Studio, ready: str = ".cell") -> Iterator[Any]:
    """The studio's page in a new context; fails if it logs an error or requests anything from elsewhere."""
    with opened(browser, studio.url, height=800, wait_for=ready) as shown:
        yield shown.page
    assert not [text for text in shown.complaints if not any(usual in text for usual in USUAL)]
    assert not [url for url in shown.requests if not url.startswith((studio.url, "blob:"))]


@pytest.fixture
def page(browser: Any, studio: Studio) -> Iterator[Any]:
    """The studio's page; the test fails if it logs an error or requests anything from elsewhere."""
    with studio_page(browser, studio) as shown:
        yield shown


@pytest.fixture
def open_page() -> Any:
    """``studio_page``, for tests that start a studio of their own."""
    return studio_page
