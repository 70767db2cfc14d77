"""What the tests of an analysis share."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

TEXTS = ("a {} cat sleeps on a soft bed", "a {} bus waits at the station", "a plate of {} pasta with cheese")
WORDS = ("red", "small", "big", "white", "old", "quiet")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eighteen pictures, six captions about each of three things; state and cache are the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "photos"
    folder.mkdir()
    for row in range(18):
        Image.new("RGB", (64, 48), (80 * (row % 3), 20, 99)).save(folder / f"{row:02}.jpg")
        (folder / f"{row:02}.txt").write_text(TEXTS[row % 3].format(WORDS[row // 3]))
    return folder
