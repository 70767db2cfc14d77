"""Links in the places where runs write: what they lead to stays as it is."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import tarfile

import pytest
from PIL import Image
from pyarrow import parquet

from processes import cutline_here

PRIVATE = "private words"
STATES = {
    "jsonl": ("journal.jsonl", "lock", "mark.json", "totals.json"),
    "csv": ("rows.part", "output.part"),
    "parquet": ("rows.part", "output.json"),
    "webdataset": ("shards.jsonl",),
    "sidecar": ("sidecars.sqlite", "sidecars.sqlite-wal"),
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Three pictures, and a file that a link could lead to."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for number in range(3):
        Image.new("RGB", (48, 32), (40 * number, 90, 120)).save(tmp_path / "photos" / f"{number}.png")
    (tmp_path / "private").write_text(PRIVATE)
    return tmp_path


def caption(*arguments):
    done = cutline_here("caption", "photos", *arguments, "--model", "fake")
    assert "Traceback" not in done.stderr
    return done


def refused(done, *words):
    """One line that names the link and its cure."""
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    for word in words:
        assert word in done.stderr


@pytest.mark.parametrize(("form", "name"), [(form, name) for form, names in STATES.items() for name in names])
def test_a_link_among_the_files_of_the_state_is_refused_and_the_cure_works(form, name, place):
    state = place / "o.cutline"
    state.mkdir()
    (state / name).symlink_to("../private")
    arguments = ("o", "--output-format", form)
    refused(caption(*arguments), f"o.cutline/{name} is a link", "remove the link")
    assert (place / "private").read_text() == PRIVATE
    (state / name).unlink()
    assert caption(*arguments).returncode == 0


def test_links_among_measures_parts_and_locks_are_refused(place):
    for output, name, options in (
        ("o.jsonl", "o.jsonl.cutline/measures.jsonl", ("--keep", "side>=3")),
        ("o.parquet", "o.parquet.cutline/rows-00000.part", ("--rows-per-file", "2")),
        ("p.jsonl", ".p.jsonl.cutline-lock", ()),
    ):
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).symlink_to(place / "private")
        refused(caption(output, *options), name, "remove the link")
    assert (place / "private").read_text() == PRIVATE


@pytest.mark.parametrize("target", ["../private", "../nothing"])
def test_a_metadata_file_behind_a_link_out_of_the_folder_is_not_written(target, place):
    (place / "photos" / "metadata.jsonl").symlink_to(target)
    for more in ((), ("--existing", "overwrite")):
        refused(caption("--output-format", "imagefolder", *more), "photos/metadata.jsonl is a link", "remove")
    assert (place / "private").read_text() == PRIVATE
    assert not (place / "nothing").exists()
    (place / "photos" / "metadata.jsonl").unlink()
    assert caption("--output-format", "imagefolder").returncode == 0


def test_numbered_files_take_the_place_of_links_and_leave_what_these_lead_to(place):
    (place / "shards").mkdir()
    (place / "shards" / "00000.tar").symlink_to("../private")
    for number in range(3):
        (place / f"o-0000{number}.parquet").symlink_to("private")
    for arguments in (("shards", "--output-format", "webdataset"), ("o.parquet", "--rows-per-file", "1")):
        refused(caption(*arguments), "already exists")
        assert caption(*arguments, "--existing", "overwrite").returncode == 0
    assert (place / "private").read_text() == PRIVATE
    with tarfile.open(place / "shards" / "00000.tar") as tar:
        assert len([name for name in tar.getnames() if name.endswith(".png")]) == 3
    rows = [parquet.read_table(file).num_rows for file in sorted(place.glob("o-*.parquet"))]
    assert rows == [1, 1, 1]


def test_a_state_folder_may_be_a_link_but_to_a_folder(place):
    (place / "states").mkdir()
    (place / "a.jsonl.cutline").symlink_to("states")
    assert caption("a.jsonl").returncode == 0
    assert (place / "states" / "journal.jsonl").exists()
    (place / "b.jsonl.cutline").symlink_to("nowhere")
    refused(caption("b.jsonl"), "b.jsonl.cutline is a link that leads nowhere")
    (place / "c.jsonl.cutline").write_text("")
    refused(caption("c.jsonl"), "c.jsonl.cutline is a file", "move it away")


@pytest.mark.parametrize("name", [".list.jsonl.part", ".list.jsonl.rejected.jsonl.part", ".page.html.part"])
def test_a_filter_writes_through_no_link(name, place):
    (place / name).symlink_to("private")
    shutil.copy("photos/0.png", "photos/3.png")
    done = cutline_here("filter", "photos", "list.jsonl", "--dedup", "exact", "--report", "page.html")
    assert done.returncode == 0, done.stderr
    assert (place / "private").read_text() == PRIVATE
    rows = [json.loads(line) for line in (place / "list.jsonl").read_text().splitlines()]
    assert len(rows) == 3
    assert len((place / "list.jsonl.rejected.jsonl").read_text().splitlines()) == 1


def test_a_history_of_edits_is_no_link(place):
    (place / "photos" / "0.txt").write_text("a cat")
    (place / "photos.cutline").mkdir()
    history = place / "photos.cutline" / "history.sqlite"
    history.symlink_to(place / "private")
    edit = ("edit", "photos", "--replace", "cat", "dog")
    refused(cutline_here(*edit), "history.sqlite is a link", "remove the link")
    assert (place / "private").read_text() == PRIVATE
    history.unlink()
    assert cutline_here(*edit).returncode == 0
    assert (place / "photos" / "0.txt").read_text() == "a dog"


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_file_in_the_place_of_a_history_is_named(make, place):
    (place / "photos" / "0.txt").write_text("a cat")
    (place / "photos.cutline").mkdir()
    history = place / "photos.cutline" / "history.sqlite"
    make(history)
    edit = ("edit", "photos", "--replace", "cat", "dog")
    refused(cutline_here(*edit), "history.sqlite is not a file", "move it away")
    history.rename(place / "away")
    assert cutline_here(*edit).returncode == 0
    assert (place / "photos" / "0.txt").read_text() == "a dog"


@pytest.mark.parametrize(
    "change",
    ["time = 'x'", "time = 1e300", "summary = x'00ff'", "author = CAST(x'ff' AS TEXT)", "files = 'many'"],
)
def test_a_history_with_other_values_is_named_as_damaged_and_the_cure_works(change, place):
    (place / "photos" / "0.txt").write_text("a cat")
    edit = ("edit", "photos", "--replace", "cat", "dog")
    assert cutline_here(*edit).returncode == 0
    history = place / "photos.cutline" / "history.sqlite"
    with contextlib.closing(sqlite3.connect(history)) as database:
        database.execute(f"UPDATE edits SET {change}")
        database.commit()
    refused(
        cutline_here("history", "photos"), "history.sqlite, the history of edits, is damaged", "move it away"
    )
    history.rename(place / "away.sqlite")
    assert "no edits yet" in cutline_here("history", "photos").stderr
