"""The studio is killed while it writes: texts are whole, and the history agrees with them."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cutline.dataset.dataset import Dataset
from processes import wait_until
from studio_process import PATIENCE, start_studio

ROWS = 150


def make_folder(folder: Path) -> dict[str, bytes]:
    """Pictures with captions in several forms, and the bytes of these."""
    folder.mkdir()
    picture = folder / "000.jpg"
    Image.new("RGB", (8, 8)).save(picture)
    for number in range(ROWS):
        if number:
            (folder / f"{number:03}.jpg").hardlink_to(picture)
        form = (b"word %d of caf\xc3\xa9\n", b"\xef\xbb\xbfword %d\r\n", b"word %d")[number % 3]
        (folder / f"{number:03}.txt").write_bytes(form % number)
    return texts(folder)


def texts(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.glob("*.txt")}


def requests(studio: Any, turn: int) -> Iterator[None]:
    """Saves and bulk edits without end, each of which makes every text longer by a known word."""
    for number in range(1000):
        row = number * 7 % ROWS
        before = studio.call("POST", "rows", {"rows": [row]})[0]["caption"]
        body = {"caption": f"{before} saved{turn}", "before": before}
        with contextlib.suppress(AssertionError):  # a conflict: the edit that is applied came first
            studio.call("PUT", f"captions/{row}", body)
        yield
        edit = {"kind": "suffix", "text": f" bulk{turn}.{number}"}
        found = studio.call("POST", "preview", {"edit": edit})
        studio.call("POST", "apply", {"preview": found["preview"]}, status=202)
        yield


def is_open(studio: Any) -> bool:
    state = studio.call("GET", "state")
    assert not state.get("failed"), state
    return state["folder"] is not None


def kill_at_a_moment(studio: Any, turn: int, delay: float) -> None:
    sent = threading.Event()

    def work() -> None:
        with contextlib.suppress(OSError, HTTPException):
            for _ in requests(studio, turn):
                sent.set()

    thread = threading.Thread(target=work)
    thread.start()
    assert sent.wait(PATIENCE)
    time.sleep(delay)
    studio.process.kill()
    studio.process.wait(PATIENCE)
    thread.join(PATIENCE)


def check_history(folder: Path) -> None:
    """Each file holds what its last edit wrote; edits are whole."""
    dataset = Dataset(str(folder))
    latest: dict[str, bytes | None] = {}
    for record in reversed(dataset.history.edits(limit=10_000)):
        assert record.state == "done"
        for change in dataset.history.changes(record.id):
            assert change.file not in latest or latest[change.file] == change.before
            latest[change.file] = change.after
        assert dataset.history.changes(record.id, status=None) == dataset.history.changes(record.id)
    found = texts(folder)
    assert {name: found[name] for name in latest} == latest
    dataset.close()


@pytest.mark.parametrize("turns", [6, pytest.param(50, marks=pytest.mark.soak)])
def test_a_killed_studio_leaves_whole_texts_and_a_true_history(tmp_path: Path, turns: int) -> None:
    folder = tmp_path / "photos"
    before = make_folder(folder)
    moments = random.Random(turns)
    for turn in range(turns):
        studio = start_studio(folder)
        wait_until(lambda studio=studio: is_open(studio))
        kill_at_a_moment(studio, turn, moments.uniform(0, 0.2))
        for name, content in texts(folder).items():  # only whole texts, in their own form
            start, end = before[name].rstrip(b"\r\n"), before[name][len(before[name].rstrip(b"\r\n")) :]
            assert content.startswith(start)
            assert content.endswith(end)
        check_history(folder)
        assert not list(folder.glob("*.part"))
    dataset = Dataset(str(folder))
    while dataset.undo() is not None:
        pass
    assert texts(folder) == before
    dataset.close()
