"""What people who prepare training sets stumble over: parts, lists, proposals, hints and removed words."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from program import Run, rows


@pytest.fixture
def photos(pictures: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    shutil.copytree(pictures, folder)
    (folder / "gold.txt").write_text("a red cat on a mat")
    return folder


def test_the_parts_of_a_table_are_one_table(here: Run, photos: Path, tmp_path: Path) -> None:
    written = here("caption", "photos", "pq.parquet", "--rows-per-file", "2", "-m", "fake")
    assert "→ pq-*.parquet" in written.err
    again = here("caption", "pq.parquet", "again.jsonl", "--existing", "skip", "-m", "fake")
    assert "5 skipped (5 captioned already)" in again.err
    more = here("caption", "pq.parquet", "more.jsonl", "--existing", "overwrite", "-m", "fake")
    assert more.code == 0, more.err
    assert [Path(row["image_id"]).name for row in rows(tmp_path / "more.jsonl")] == sorted(
        file.name for file in photos.glob("*.jpg")
    )
    for command in (
        ("export", "pq.parquet", "all.csv"),
        ("find", "pq.parquet", ""),
        ("report", "pq.parquet"),
    ):
        assert here(*command).code == 0


def test_a_list_of_pictures_names_the_way_to_export_them(here: Run, photos: Path, tmp_path: Path) -> None:
    assert here("filter", "photos", "kept.txt", "--keep", "side>10").code == 0
    refused = here("export", "kept.txt", "out", "--format", "folder")
    assert (refused.code, "cutline filter FOLDER LIST --move-to OTHER" in refused.err) == (2, True)


def test_proposals_are_counted_as_what_they_are(here: Run, photos: Path) -> None:
    assert here("propose", "photos", "-m", "fake").code == 0
    rejected = here("proposals", "photos", "--reject", "--where", "path:orchid")
    assert "reject 1 proposal, 1 proposal changed" in rejected.err
    assert here("edit", "photos", "--prefix", "new").code == 0
    listed = here("history", "photos").out.splitlines()
    assert [line.rpartition(", ")[2] for line in listed] == ["1 file", "1 proposal", "4 proposals"]


def test_hints_lead_to_what_was_meant(here: Run, photos: Path) -> None:
    refused = here("export", "photos", "out", "--format", "texts", "--existing", "skip")
    assert "what is there stays as it is, unless --overwrite replaces it" in refused.err
    in_place = here("caption", "photos", "--only-missing")
    assert "did you mean --output-format sidecar --existing skip?" in in_place.err
    table = here("caption", "photos", "out.jsonl", "--only-missing")
    assert "did you mean --existing skip?" in table.err


@pytest.mark.parametrize(
    ("text", "old", "left"),
    [
        ("a red cat on a mat", "cat", "a red on a mat"),
        ("a cat, outdoors", "cat", "a, outdoors"),
        ("cat, outdoors", "cat", "outdoors"),
        ("outdoors, cat", "cat", "outdoors"),
        ("outdoors, cat, day", "cat", "outdoors, day"),
        ("cat, cat, dog, cat", "cat", "dog"),
        ("a cat cat dog", "cat", "a dog"),
        ("The cat.", "cat", "The."),
        ("unhappy,  two  blanks", "un", "happy,  two  blanks"),
        ("a cat\nsat, cat\ncat", "cat", "a\nsat\n"),
        ("a photo of a cat", "a photo of ", "a cat"),
        ("a cat, blurry, day", ", blurry", "a cat, day"),
        ("a  b", "  ", "ab"),
    ],
)
def test_what_stood_around_a_removed_text_goes_with_it(
    here: Run, photos: Path, text: str, old: str, left: str
) -> None:
    file = photos / "gold.txt"
    file.write_text(text)
    assert here("edit", "photos", "--replace", old, "").code == 0
    assert file.read_text() == left


def test_an_export_to_json_says_which_json_it_is(here: Run, photos: Path, tmp_path: Path) -> None:
    told = "it is a list of rows; --format kohya writes the JSON of sd-scripts"
    assert told in here("export", "photos", "--output", "kohya.json").err
    for form in ("json", "kohya"):
        done = here("export", "photos", f"{form}-2.json", "--format", form)
        assert (done.code, told in done.err) == (0, False)
    assert told not in here("export", "photos", "rows.csv").err
