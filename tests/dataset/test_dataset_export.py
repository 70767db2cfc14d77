"""Exports of a dataset: their content, what they leave alone, and that they are whole or not there."""

from __future__ import annotations

import json
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


@pytest.mark.parametrize("form", FORMATS)
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


@pytest.mark.parametrize(
    "place", ["", "sub/out.zip", "z.jpg", "..", "../photos.cutline/history.sqlite", "../link"]
)
def test_the_dataset_and_links_are_no_place_for_an_export(dataset: Dataset, place: str) -> None:
    (Path(dataset.folder).parent / "link").symlink_to(Path(dataset.folder) / "z.jpg")
    before = files(Path(dataset.folder).parent)
    for form in ("zip", "imagefolder"):
        with pytest.raises(ConfigError, match=r"not apart from|is a link"):
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
