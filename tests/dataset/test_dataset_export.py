"""Exports of a dataset: their content, what they leave alone, and that they are whole or not there."""

from __future__ import annotations

import json
import shlex
import subprocess
import tarfile
import zipfile
from pathlib import Path
from urllib.parse import unquote

import pyarrow.csv
import pyarrow.parquet
import pytest
from PIL import Image

import cutline
from cutline.dataset.dataset import Dataset
from cutline.dataset.export.names import FORMATS
from cutline.dataset.writer import StopEdit
from cutline.errors import ConfigError, OutputExists

NAMES = ("a\\..\\b:1.jpg", "con.jpg", "same.jpg", "same.png", "sub/x%41é.png", "z.jpg")


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Six pictures with hard names; the last has no caption."""
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for number, name in enumerate(NAMES):
        Image.new("RGB", (8 + number, 8)).save(folder / name)
        shared = name.startswith("same")
        if number < 5:
            (folder / (name + ".txt" if shared else name.rpartition(".")[0] + ".txt")).write_text(text(name))
    return Dataset(str(folder))


def text(name: str) -> str:
    return f'tag, "{name}"\nsecond line — é'


def pictures(dataset: Dataset) -> dict[str, bytes]:
    return {name: Path(dataset.folder, name).read_bytes() for name in NAMES[:5]}


def export(dataset: Dataset, form: str, **options: bool) -> Path:
    result = dataset.export(Path(dataset.folder).parent / f"out-{form}", format=form, **options)
    assert (result.written, result.missing, result.failed) == (5, 1, ())
    return result.output


def files(folder: Path) -> list[str]:
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*"))


def test_archives_hold_untouched_pictures_and_captions_under_safe_names(dataset: Dataset) -> None:
    with zipfile.ZipFile(export(dataset, "webdata-zip")) as archive:
        pairs = json.loads(archive.read("captions.json"))
        members = {info.filename: info.compress_type for info in archive.infolist()}
        assert {unquote(pair["image"]): archive.read(pair["image"]) for pair in pairs} == pictures(dataset)
    assert {unquote(pair["image"]): pair["caption"] for pair in pairs} == {
        name: text(name) for name in NAMES[:5]
    }
    assert members["same.jpg"] == zipfile.ZIP_STORED
    assert not any(set(name) & set('\\:*?"<>|') or name.startswith("con") for name in members)
    assert len({*members}) == len(members) == 6
    with zipfile.ZipFile(export(dataset, "zip")) as archive:
        assert archive.testzip() is None
        assert {"same.jpg.txt", "same.png.txt", "sub/x%2541é.txt"} < {*archive.namelist()}
        assert archive.read("same.png.txt").decode() == text("same.png")


def test_folders_and_tables_hold_the_same(dataset: Dataset) -> None:
    images = export(dataset, "imagefolder")
    rows = [json.loads(line) for line in (images / "metadata.jsonl").read_text().splitlines()]
    copies = {unquote(row["file_name"]): (images / row["file_name"]).read_bytes() for row in rows}
    assert copies == pictures(dataset)
    assert [row["text"] for row in rows] == [text(name) for name in NAMES[:5]]
    with tarfile.open(export(dataset, "webdataset") / "00000.tar") as tar:
        assert len(tar.getnames()) == 3 * 5
    tables = {
        "jsonl": [json.loads(line) for line in export(dataset, "jsonl").read_text().splitlines()],
        "csv": pyarrow.csv.read_csv(
            export(dataset, "csv"), parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True)
        ).to_pylist(),
        "parquet": pyarrow.parquet.read_table(export(dataset, "parquet")).to_pylist(),
    }
    for table in tables.values():
        assert [(row["image_id"], row["caption"]) for row in table] == [
            (name, text(name)) for name in NAMES[:5]
        ]
    kohya = json.loads(export(dataset, "kohya").read_text())
    assert {name: Path(name).read_bytes() for name in kohya} == {
        f"{dataset.folder}/{name}": data for name, data in pictures(dataset).items()
    }
    assert [entry["caption"] for entry in kohya.values()] == [text(name) for name in NAMES[:5]]


ADDED = ("folder", "texts")  # formats that add files to a folder


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in ADDED])
def test_an_export_is_whole_or_not_there_and_replaced_only_on_demand(dataset: Dataset, form: str) -> None:
    output = Path(dataset.folder).parent / f"out-{form}"
    before = files(output.parent)

    def stop(done: int) -> None:
        if done == 3:
            raise StopEdit

    result = dataset.export(output, format=form, progress=stop)
    assert (result.written, result.stopped) == (3, 3)
    assert files(output.parent) == before
    export(dataset, form)
    with pytest.raises(OutputExists, match="--overwrite"):
        export(dataset, form)
    result = dataset.export(
        output, dataset.find("z.jpg OR path:z.jpg"), format=form, empty=True, overwrite=True
    )
    assert (result.written, result.missing) == (1, 0)
    assert not list(output.parent.glob(".cutline*"))
    if output.is_dir():
        (output / "mine.doc").write_text("keep")
        with pytest.raises(OutputExists, match=r"holds mine\.doc"):
            dataset.export(output, format=form, overwrite=True)


@pytest.mark.parametrize("form", ADDED)
def test_texts_are_added_beside_what_is_there_and_replace_nothing(dataset: Dataset, form: str) -> None:
    output = Path(dataset.folder).parent / f"out-{form}"
    (output / "sub").mkdir(parents=True)
    (output / "mine.doc").write_text("keep")
    export(dataset, form)
    export(dataset, form)  # the same again
    found = {file for file in files(output) if file.endswith(".txt")}
    assert found >= {
        "same.jpg.txt",
        "same.png.txt",
        "sub/x%41é.txt" if form == "texts" else "sub/x%2541é.txt",
    }
    assert (output / "same.jpg.txt").read_text() == text("same.jpg")
    copies = {file.name: file.read_bytes() for file in output.rglob("*.*g")}
    assert copies.get("same.jpg") == (pictures(dataset)["same.jpg"] if form == "folder" else None)
    (output / "same.png.txt").write_text("mine")
    (output / "same.jpg.txt").unlink()
    with pytest.raises(OutputExists, match=r"same\.png\.txt is there with another content.*--overwrite"):
        export(dataset, form)
    assert not (output / "same.jpg.txt").exists()
    assert (output / "same.png.txt").read_text() == "mine"
    export(dataset, form, overwrite=True)
    assert (output / "same.png.txt").read_text() == text("same.png")
    assert (output / "mine.doc").read_text() == "keep"
    (output / "same.jpg.txt").unlink()
    (output / "same.jpg.txt").symlink_to(output / "mine.doc")
    with pytest.raises(ConfigError, match="not a plain file"):
        export(dataset, form, overwrite=True)
    assert (output / "mine.doc").read_text() == "keep"


def test_texts_are_put_beside_the_pictures_that_a_table_is_of(dataset: Dataset, tmp_path: Path) -> None:
    photos = tmp_path / "copies"
    dataset.export(tmp_path / "captions.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "captions.jsonl").read_text().splitlines()]
    rows.append({**rows[0], "image_id": "../outside.jpg"})
    table = photos / "captions.jsonl"
    photos.mkdir()
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with cutline.open_dataset(table) as opened:
        opened.export(photos, format="texts")
    for name in ("con.jpg", "sub/x%41é.png"):
        assert (photos / name).with_suffix(".txt").read_text() == text(name)
    assert not (tmp_path / "outside.txt").exists()
    (photos / "sub" / "x%41é.txt").unlink()
    (photos / "sub").rmdir()
    (photos / "sub").symlink_to(tmp_path)
    with cutline.open_dataset(table) as opened, pytest.raises(ConfigError, match="leads out of the folder"):
        opened.export(photos, format="texts", overwrite=True)


@pytest.mark.parametrize(
    "place", ["", "sub/out.zip", "z.jpg", "..", "../photos.cutline/history.sqlite", "../link"]
)
def test_the_dataset_and_links_are_no_place_for_an_export(dataset: Dataset, place: str) -> None:
    (Path(dataset.folder).parent / "link").symlink_to(Path(dataset.folder) / "z.jpg")
    before = files(Path(dataset.folder).parent)
    for form in ("zip", "imagefolder", "texts"):
        with pytest.raises(ConfigError, match=r"overlaps|is a link"):
            dataset.export(Path(dataset.folder) / place, format=form, overwrite=True)
    assert files(Path(dataset.folder).parent) == before


def test_pictures_that_cannot_be_read_are_named(dataset: Dataset, tmp_path: Path) -> None:
    Path(dataset.folder, "con.jpg").unlink()
    Path(dataset.folder, "z.txt").write_bytes(b"\xff\x81\x00\x8d")
    result = dataset.export(tmp_path / "out.zip")
    assert (result.written, result.missing, result.stopped) == (4, 0, 0)
    assert [key for key, _ in result.failed] == ["con.jpg", "z.jpg"]
    with pytest.raises(ConfigError, match="no picture matches"):
        dataset.export(tmp_path / "none.zip", dataset.find("nowhere"))
    for name, message in (("out", "cannot tell the format"), ("s3://b/out.zip", "cannot export to s3")):
        with pytest.raises(ConfigError, match=message):
            dataset.export(name)
    with pytest.raises(ConfigError, match="did you mean webdataset"):
        dataset.export(tmp_path / "out", format="webdatset")


def test_a_dataset_is_opened_edited_and_exported_from_python(dataset: Dataset, tmp_path: Path) -> None:
    with cutline.open_dataset(dataset.folder) as opened:
        preview = opened.preview(cutline.Replace(old="tag", new="label", word=True), opened.find("path:same"))
        assert opened.apply(preview).written == len(preview.rows) == 2
        assert opened.export(tmp_path / "out.csv", opened.find("label")).written == 2
        undone = opened.undo()
        assert undone is not None
        assert undone.written == 2
    for folder, ending, message in ((tmp_path / "none", ".txt", "does not exist"), (tmp_path, "a/b", "a/b")):
        with pytest.raises(ConfigError, match=message):
            cutline.open_dataset(folder, sidecar_ext=ending)


@pytest.mark.parametrize("count", [3, 12])
@pytest.mark.parametrize("name", ["photos", "other"])
def test_a_wrong_image_root_is_named_with_a_cure_that_works(tmp_path: Path, count: int, name: str) -> None:
    photos = tmp_path / "set" / name
    photos.mkdir(parents=True)
    rows = [{"file_name": f"photos/{n}.jpg", "text": "a cat"} for n in range(count)]
    for number in range(count):
        Image.new("RGB", (8, 8)).save(photos / f"{number}.jpg")
    table = tmp_path / "rows.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with cutline.open_dataset(table, image_root=photos) as opened, pytest.raises(ConfigError) as raised:
        opened.export(tmp_path / "out.zip")
    message = str(raised.value)
    assert f"{photos}/0.jpg exists: " in message
    assert message.endswith(f"add --image-root {photos.parent}")
    if name == "other":
        command = message.split("`")[1]
        subprocess.run(shlex.split(command), check=True)
    with cutline.open_dataset(table, image_root=photos.parent) as opened:
        assert opened.export(tmp_path / "out.zip").written == count
