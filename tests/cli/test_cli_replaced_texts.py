"""Texts that runs and exports replace: `cutline undo` brings back every one of them."""

from __future__ import annotations

import re
import shlex
import shutil
import signal
from pathlib import Path

import pytest
from program import Run

from processes import start_cutline, wait_until

SIDECARS = ("--output-format", "sidecar", "--existing", "overwrite")


@pytest.fixture
def photos(pictures: Path, tmp_path: Path) -> Path:
    """Pictures with texts that a person wrote, one of them not in UTF-8."""
    folder = tmp_path / "photos"
    shutil.copytree(pictures, folder)
    for file in sorted(folder.glob("*.jpg")):
        file.with_suffix(".txt").write_bytes(f"what I wrote of {file.stem}\r\n".encode())
    (folder / "gold.txt").write_bytes("café".encode("latin-1"))
    return folder


@pytest.fixture
def bare(pictures: Path, tmp_path: Path) -> Path:
    """Pictures without texts."""
    return shutil.copytree(pictures, tmp_path / "photos")


def texts(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.glob("*.txt")}


@pytest.mark.parametrize("more", [(), ("--state", "elsewhere")])
def test_what_runs_replaced_comes_back(here: Run, photos: Path, more: tuple[str, ...]) -> None:
    mine = texts(photos)
    first = here("caption", "photos", *SIDECARS, "-m", "fake", *more)
    assert first.code == 0, first.err
    written = texts(photos)
    assert not set(mine.values()) & set(written.values())
    again = here(
        "caption", "photos", *SIDECARS, "-m", "fake", "--prompt", "tags", "--on-change", "redo-all", *more
    )
    assert again.code == 0, again.err
    command = re.search(r"`cutline (undo .*)` brings back", again.err)
    assert command is not None, again.err
    undo = shlex.split(command[1])
    assert here(*undo).code == 0
    assert texts(photos) == written
    assert here(*undo).code == 0
    assert texts(photos) == mine
    assert "nothing to undo" in here(*undo).err
    assert here("redo", "photos").code == 0
    assert texts(photos) == written


def test_what_a_killed_run_replaced_comes_back_as_one_edit(here: Run, photos: Path, tmp_path: Path) -> None:
    mine = texts(photos)
    command = ("caption", "photos", *SIDECARS, "-m", "fake:latency=1,slots=1")
    run = start_cutline(*command, cwd=tmp_path)
    wait_until(lambda: texts(photos) != mine)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert here(*command).code == 0
    assert not set(mine.values()) & set(texts(photos).values())
    assert here("undo", "photos").code == 0
    assert texts(photos) == mine
    assert "nothing to undo" in here("undo", "photos").err


def test_an_edit_after_a_run_is_undone_first(here: Run, photos: Path) -> None:
    mine = texts(photos)
    here("caption", "photos", *SIDECARS, "-m", "fake")
    written = texts(photos)
    assert here("edit", "photos", "--prefix", "new").code == 0
    assert here("undo", "photos").code == 0
    assert texts(photos) == written
    assert here("undo", "photos").code == 0
    assert texts(photos) == mine


def test_a_run_that_replaces_nothing_leaves_no_edit(here: Run, photos: Path, tmp_path: Path) -> None:
    for file in photos.glob("*.txt"):
        file.unlink()
    for _ in range(2):
        ran = here("caption", "photos", *SIDECARS, "-m", "fake")
        assert (ran.code, "brings back" in ran.err) == (0, False)
    assert "no edits" in here("history", "photos").err
    assert not (tmp_path / "photos.cutline" / "history.sqlite").exists()


@pytest.mark.parametrize("ending", [".txt", ".caption"])
def test_what_a_run_replaced_of_its_own_comes_back(here: Run, bare: Path, ending: str) -> None:
    command = ("caption", "photos", "--output-format", "sidecar", "--sidecar-ext", ending)
    changes = (
        ("-m", "pixels"),
        ("-m", "fake", "--existing", "overwrite", "--on-change", "redo-all"),
        ("-m", "fake", "--trigger", "sks", "--on-change", "keep"),
        ("-m", "pixels", "--trigger", "sks", "--on-change", "redo-all"),
        ("-m", "pixels", "--on-change", "keep"),  # as the first: what it wrote is there again
    )
    written = []
    for change in changes:
        ran = here(*command, *change)
        assert (ran.code, "replaced: `cutline undo " in ran.err) == (0, bool(written)), ran.err
        written.append({file.name: file.read_bytes() for file in bare.glob(f"*{ending}")})
    for before in written[-2::-1]:
        assert here("undo", "photos").code == 0
        assert {file.name: file.read_bytes() for file in bare.glob(f"*{ending}")} == before
    assert "nothing to undo" in here("undo", "photos").err


def test_a_run_after_an_undo_says_what_it_replaces_and_pays_nothing(here: Run, bare: Path) -> None:
    command = ("caption", "photos", "--output-format", "sidecar", "--on-change", "redo-all")
    assert here(*command, "-m", "pixels").code == 0
    assert here(*command, "-m", "fake").code == 0
    written = texts(bare)
    assert here("undo", "photos").code == 0
    again = here(*command, "-m", "fake")
    assert "nothing to caption" in again.err
    assert f"{len(written)} texts replaced: `cutline undo " in again.err
    assert texts(bare) == written


def test_a_killed_run_that_had_replaced_all_names_the_undo(here: Run, bare: Path, tmp_path: Path) -> None:
    command = ("caption", "photos", "--output-format", "sidecar", "--on-change", "redo-all")
    assert here(*command, "-m", "fake").code == 0
    (bare / "z.jpg").write_bytes((bare / "gold.jpg").read_bytes())
    mine = texts(bare)
    slow = (*command, "-m", "fake:latency=1,slots=1", "--prompt", "tags")
    run = start_cutline(*slow, cwd=tmp_path)
    wait_until(lambda: not set(texts(bare).items()) & set(mine.items()))
    run.send_signal(signal.SIGKILL)
    run.wait()
    resumed = here(*slow)
    assert f"{len(mine)} texts replaced: `cutline undo " in resumed.err
    assert here("undo", "photos").code == 0
    assert {name: text for name, text in texts(bare).items() if name in mine} == mine


@pytest.mark.parametrize("form", ["texts", "folder"])
def test_what_an_export_replaced_comes_back(here: Run, photos: Path, tmp_path: Path, form: str) -> None:
    other = tmp_path / "other"
    shutil.copytree(photos, other)
    (other / "gold.txt").unlink()
    mine = texts(other)
    assert here("edit", "photos", "--prefix", "new").code == 0
    assert here("edit", "other", "--suffix", "end").code == 0  # an edit of the place is no run
    assert here("undo", "other").code == 0
    refused = here("export", "photos", "other", "--format", form)
    assert (refused.code, "--overwrite" in refused.err) == (2, True)
    assert texts(other) == mine
    done = here("export", "photos", "other", "--format", form, "--overwrite")
    assert (done.code, f"{len(mine)} texts replaced: `cutline undo " in done.err) == (0, True), done.err
    assert texts(other) == {name: text.replace(b"\r\n", b"") for name, text in texts(photos).items()} | {
        "gold.txt": "new café".encode()
    }
    assert here("undo", "other").code == 0
    assert texts(other) == mine | {"gold.txt": "new café".encode()}


def test_an_export_goes_beside_the_texts_of_a_run_that_has_ended(
    here: Run, photos: Path, tmp_path: Path
) -> None:
    shutil.copytree(photos, tmp_path / "other")
    assert here("caption", "other", *SIDECARS, "-m", "fake").code == 0
    written = texts(tmp_path / "other")
    assert here("export", "photos", "other", "--format", "texts", "--overwrite").code == 0
    assert (tmp_path / "other" / "gold.txt").read_text() == "café"
    assert here("undo", "other").code == 0
    assert texts(tmp_path / "other") == written


def test_an_export_waits_for_a_run_under_way(here: Run, photos: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(photos, other)
    mine = texts(other)
    run = start_cutline("caption", "other", *SIDECARS, "-m", "fake:latency=600", cwd=tmp_path)
    try:
        wait_until((tmp_path / "other.cutline" / "sidecars.sqlite").exists)
        here("edit", "photos", "--prefix", "new")
        refused = here("export", "photos", "other", "--format", "texts", "--overwrite")
        assert (refused.code != 0, "wait" in refused.err) == (True, True)
        assert texts(other) == mine
    finally:
        run.kill()
        run.wait()
