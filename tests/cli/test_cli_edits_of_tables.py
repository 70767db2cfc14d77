"""Edits of a table or tar lie in its history: the command that writes them is named, and its output agrees."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from program import Run, rows


@pytest.fixture
def photos(pictures: Path, tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    for name in ("crimson", "gold"):
        shutil.copy(pictures / f"{name}.jpg", tmp_path / "photos")
    return tmp_path / "photos"


def export_in(text: str, name: str) -> list[str]:
    found = re.search(rf"{re.escape(name)} is unchanged: `cutline (export .*)` writes the edited", text)
    assert found is not None, text
    return shlex.split(found[1])


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.parquet", "out.json"])
def test_edits_of_a_table_end_with_the_command_that_writes_them(
    here: Run, photos: Path, tmp_path: Path, name: str
) -> None:
    assert here("caption", "photos", name, "-m", "fake").code == 0
    before = (tmp_path / name).read_bytes()
    edited = here("edit", name, "--replace", "picture", "photo", "--image-root", "photos")
    assert "2 captions edited" in edited.err
    assert (tmp_path / name).read_bytes() == before
    command = export_in(edited.err, name)
    assert here(*command).code == 0
    found = here("find", command[2], "photo", "--captions").out
    assert found.count("A photo with") == 2
    assert command[-2:] == ["--image-root", "photos"]

    undone = here("undo", name)
    assert here(*export_in(undone.err, name), "--overwrite").code == 0
    assert here("find", command[2], "photo", "--count").out == "0\n"
    export_in(here("redo", name).err, name)


def test_edits_of_shards_name_a_folder_of_shards(here: Run, photos: Path, tmp_path: Path) -> None:
    assert here("caption", "photos", "shards", "-m", "fake", "--output-format", "webdataset").code == 0
    for place in ("shards", "shards/00000.tar"):
        edited = here("edit", place, "--prefix", "photo: ")
        command = export_in(edited.err, Path(place).name)
        assert here(*command).code == 0
        assert here("find", command[2], "photo:", "--count").out == "2\n"


def test_edits_of_a_folder_and_marks_name_no_export(here: Run, photos: Path, tmp_path: Path) -> None:
    for name in ("crimson", "gold"):
        (photos / f"{name}.txt").write_text("a picture")
    for command in (("edit", "photos", "--prefix", "the "), ("undo", "photos")):
        assert "is unchanged" not in here(*command).err
    nothing = here("edit", "photos", "--replace", "zebra", "horse")
    assert "is unchanged" not in nothing.err


def test_accepted_and_written_proposals_of_a_table_name_it_too(
    here: Run, photos: Path, tmp_path: Path
) -> None:
    assert here("caption", "photos", "out.jsonl", "-m", "fake").code == 0
    options = ("propose", "out.jsonl", "-m", "fake", "--image-root", "photos", "--existing", "overwrite")
    proposed = here(*options, "--prompt", "another")
    assert "is unchanged" not in proposed.err, proposed.err
    accepted = here("proposals", "out.jsonl", "--accept", "--image-root", "photos")
    export_in(accepted.err, "out.jsonl")
    written = here(*options, "--prompt", "a third", "--write")
    export_in(written.err, "out.jsonl")


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet"])
def test_an_edited_caption_is_edited_among_several_as_well(
    here: Run, photos: Path, tmp_path: Path, name: str
) -> None:
    ran = here("caption", "photos", name, "-m", "fake", "--prompt", "short=briefly", "--prompt", "long=fully")
    assert ran.code == 0, ran.err
    assert here("edit", name, "--replace", "A picture", "One photo", "--where", "path:gold").code == 0
    assert here("export", name, "new.jsonl").code == 0
    for row in rows(tmp_path / "new.jsonl"):
        captions = row["captions"] if isinstance(row["captions"], dict) else json.loads(row["captions"])
        steps = {step["name"]: step["text"] for step in row["steps"]}
        start = "One photo" if "gold" in row["image_id"] else "A picture"
        assert row["caption"].startswith(start)
        assert captions["short"] == steps["short"] == row["caption"]
        assert captions["long"] == steps["long"]
        assert captions["long"].startswith("A picture")
