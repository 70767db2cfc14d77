"""An option that would have no effect on a run is refused in one line; what it is for is not."""

from __future__ import annotations

import json
import shlex
import shutil
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from program import Run

# A run, an option that it would ignore, and words of the line.
IDLE = {
    "responses beside pictures": ("copy --output-format sidecar", "--include-raw", "ends in .jsonl"),
    "responses in an imagefolder": ("copy --output-format imagefolder", "--include-raw", "ends in .jsonl"),
    "responses in scienceqa": ("photos c.json --output-format scienceqa", "--include-raw", ".parquet"),
    "an ending of texts at shards": ("a.tar out.jsonl", "--sidecar-ext .cap", "webdataset"),
    "an ending of texts at a table": ("t.csv out.jsonl", "--sidecar-ext .cap", "--source-type"),
    "an encoding of texts at Parquet": ("t.parquet out.jsonl", "--text-encoding gbk", "is parquet: remove"),
    "an encoding of a list": ("list.txt out.jsonl", "--text-encoding gbk", "is read as UTF-8"),
    "cells of Parquet": ("t.parquet out.jsonl", "--delimiter ;", "for CSV and TSV"),
    "cells of JSON lines": ("t.jsonl out.jsonl", "--no-header", "for CSV and TSV"),
    "downloads of a folder": ("photos out.jsonl", "--user-agent me/1", "urls or table"),
    "downloads of a tar": ("a.tar out.jsonl", "--user-agent me/1", "urls or table"),
    "links in a zip": ("z.zip out.jsonl", "--follow-links", "does not support --follow-links"),
    "names in one tar": ("a.tar out.jsonl", "--exclude x*", "a.tar is one file"),
    "names in a table": ("t.csv out.jsonl", "--exclude x*", "t.csv is one file"),
    "names in a list": ("list.txt out.jsonl", "--exclude x*", "does not support --exclude"),
    "sub-folders of a list": ("list.txt out.jsonl", "--no-recursive", "does not support --no-recursive"),
    "one picture and each": ("a.tar out.jsonl --image-column jpg", "--sample-pictures each", "remove one"),
    "many of one at a time": (
        "photos out.jsonl --max-concurrent-requests 8",
        "--no-enable-async",
        "remove it or --max-concurrent-requests",
    ),
    "a dialect without a schema": ("photos out.jsonl", "--schema-dialect none", "add --schema"),
    "cut texts of pixels": ("photos out.jsonl --model pixels", "--truncated keep", "remove --truncated"),
}
USED = {
    "a table's texts": "t.parquet texts --output-format sidecar --sidecar-ext .cap --text-encoding utf-8",
    "a folder's texts": "photos out.jsonl --sidecar-ext .cap --text-encoding utf-8",
    "a table's responses": "photos out.csv --include-raw",
    "shards' responses": "photos out --output-format webdataset --include-raw",
    "cells of CSV": "semicolons.csv out.jsonl --delimiter ;",
    "downloads that a table may have": "t.csv out.jsonl --user-agent me/1",
}


@pytest.fixture
def cutline(here: Run) -> Run:
    return here


@pytest.fixture
def inputs(tmp_path: Path, pictures: Path) -> None:
    for name in ("photos", "copy"):
        shutil.copytree(pictures, tmp_path / name)
    names = [f"photos/{path.name}" for path in sorted(pictures.iterdir())]
    with tarfile.open(tmp_path / "a.tar", "w") as tar, zipfile.ZipFile(tmp_path / "z.zip", "w") as packed:
        for name in names:
            tar.add(tmp_path / name, Path(name).name)
            packed.write(tmp_path / name, name)
    pq.write_table(pa.table({"image": names}), tmp_path / "t.parquet")
    (tmp_path / "t.csv").write_text("image\n" + "\n".join(names))
    (tmp_path / "semicolons.csv").write_text("image;n\n" + "\n".join(f"{name};1" for name in names))
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps({"image": name}) for name in names))
    (tmp_path / "list.txt").write_text("\n".join(names))


@pytest.mark.usefixtures("inputs")
@pytest.mark.parametrize("name", IDLE)
def test_an_option_without_effect_is_refused_and_its_cure_works(name: str, cutline: Run) -> None:
    line, option, words = IDLE[name]
    own = [] if "--model" in line else ["--model", "fake"]
    refused = cutline("caption", *shlex.split(line), *shlex.split(option), *own, "--quiet")
    assert refused.code == 2, refused.err
    assert refused.err.count("\n") == 1
    assert words in refused.err
    done = cutline("caption", *shlex.split(line), *own, "--quiet")
    assert done.code == 0, done.err


@pytest.mark.usefixtures("inputs")
@pytest.mark.parametrize("name", USED)
def test_an_option_with_an_effect_is_taken(name: str, cutline: Run) -> None:
    done = cutline("caption", *shlex.split(USED[name]), "--model", "fake", "--quiet")
    assert done.code == 0, done.err


def test_names_are_left_out_of_folders_of_shards_and_tables(
    cutline: Run, tmp_path: Path, pictures: Path
) -> None:
    for folder in ("shards", "tables"):
        (tmp_path / folder / "old").mkdir(parents=True)
    picture = next(pictures.iterdir())
    for number, name in enumerate(("0", "1", "old/2")):
        with tarfile.open(tmp_path / f"shards/{name}.tar", "w") as tar:
            tar.add(picture, f"{number}.png")
        pq.write_table(pa.table({"image": [picture.read_bytes()]}), tmp_path / f"tables/{name}.parquet")
    for folder, ending in (("shards", "tar"), ("tables", "parquet")):
        line = ("caption", folder, f"{folder}.jsonl", "--exclude", f"1.{ending}", "--exclude", "old/")
        done = cutline(*line, "--model", "fake")
        assert done.code == 0, done.err
        assert len((tmp_path / f"{folder}.jsonl").read_text().splitlines()) == 1
        assert f"1.{ending}" in done.err
        none = cutline("caption", folder, "none.jsonl", "--exclude", f"*.{ending}", "--model", "fake")
        assert none.code == 2
        assert none.err.count("\n") == 1


def test_names_are_left_out_of_rows_of_an_imagefolder(cutline: Run, tmp_path: Path, pictures: Path) -> None:
    folder = tmp_path / "images"
    shutil.copytree(pictures, folder / "raw")
    shutil.copytree(pictures, folder / "cut")
    names = [f"{part}/{path.name}" for part in ("raw", "cut") for path in pictures.iterdir()]
    (folder / "metadata.csv").write_text("file_name\n" + "\n".join(names))
    done = cutline("caption", "images", "out.jsonl", "--exclude", "raw/", "--model", "fake")
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["image_id"] for row in rows] == [name for name in names if name.startswith("cut/")]
    assert f"{len(rows)} excluded" in done.err


@pytest.mark.parametrize(("cells", "policy"), [(" , \n" * 2, "warn"), ("photos/crimson.jpg,a\n,b\n", "fail")])
def test_a_quiet_run_without_pictures_names_the_reason(
    cells: str, policy: str, cutline: Run, tmp_path: Path, pictures: Path
) -> None:
    shutil.copytree(pictures, tmp_path / "photos")
    (tmp_path / "t.csv").write_text(f"image,n\n{cells}")
    line = ("caption", "t.csv", "out.jsonl", "--model", "fake", "--quiet")
    done = cutline(*line, "--on-missing", policy)
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert "without a picture; --on-missing ignore" in done.err
    assert cutline(*line, "--on-missing", "ignore").code == 0
