"""Texts of rows whose paths are from elsewhere: beside the pictures that they are of, or refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

import cutline
from cutline.errors import ConfigError

NAMES = ("a.jpg", "sub/b.png", "sub/a.jpg", "same.jpg", "same.png")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "here" / "photos"
    for number, name in enumerate(NAMES):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8 + number, 8)).save(folder / name)
    return folder


def table(path: Path, names: dict[str, str]) -> Path:
    rows = [json.dumps({"image_id": key, "caption": caption}) + "\n" for key, caption in names.items()]
    path.write_text("".join(rows))
    return path


def texts(folder: Path) -> dict[str, str]:
    return {file.relative_to(folder).as_posix(): file.read_text() for file in folder.rglob("*.txt")}


WHOLE = {
    "a.txt": "a.jpg", "sub/b.txt": "sub/b.png", "sub/a.txt": "sub/a.jpg", "same.jpg.txt": "same.jpg",
    "same.png.txt": "same.png",
}  # fmt: skip


@pytest.mark.parametrize("above", ["/data/of/another/machine/photos/", "photos/", "", "/"])
def test_texts_are_beside_the_pictures_wherever_the_rows_are_from(
    photos: Path, tmp_path: Path, above: str
) -> None:
    rows = table(tmp_path / "rows.jsonl", {above + name: name for name in NAMES})
    with cutline.open_dataset(rows) as dataset:
        result = dataset.export(photos, format="texts")
    assert (result.written, result.alone) == (len(NAMES), ())
    assert texts(photos) == WHOLE


def test_an_export_for_kohya_comes_back_as_texts(photos: Path, tmp_path: Path) -> None:
    for place, name in WHOLE.items():
        (photos / place).write_text(name)
    copy = tmp_path / "copy"
    shutil.copytree(photos, copy, ignore=shutil.ignore_patterns("*.txt"))
    with cutline.open_dataset(photos) as dataset:
        dataset.export(tmp_path / "meta.json", format="kohya")
    with cutline.open_dataset(tmp_path / "meta.json") as dataset:
        dataset.export(copy, format="texts")
        dataset.export(tmp_path / "new", format="texts")
        dataset.export(tmp_path / "copies", format="folder")
    assert texts(copy) == texts(tmp_path / "new") == texts(tmp_path / "copies") == WHOLE
    assert (tmp_path / "copies" / "sub" / "b.png").exists()


def test_the_image_root_is_what_names_are_below(photos: Path, tmp_path: Path) -> None:
    rows = table(tmp_path / "rows.jsonl", {str(photos / name): name for name in NAMES})
    with cutline.open_dataset(rows, image_root=photos.parent) as dataset:
        dataset.export(tmp_path / "new", format="texts")
    assert set(texts(tmp_path / "new")) == {f"photos/{name}" for name in WHOLE}


def test_a_file_name_that_is_there_once_is_enough(photos: Path, tmp_path: Path) -> None:
    rows = table(tmp_path / "rows.jsonl", {"/x/b.png": "moved", "/y/other.jpg": "alone"})
    with cutline.open_dataset(rows) as dataset:
        result = dataset.export(photos, format="texts")
    assert result.alone == ("/y/other.jpg",)
    assert texts(photos)["sub/b.txt"] == "moved"


def test_texts_beside_nothing_and_two_of_one_picture_are_refused(photos: Path, tmp_path: Path) -> None:
    nothing = table(tmp_path / "nothing.jsonl", {"/x/1.jpg": "one", "/x/2.jpg": "two"})
    with (
        cutline.open_dataset(nothing) as dataset,
        pytest.raises(ConfigError, match=r"none is named like /x/1\.jpg"),
    ):
        dataset.export(photos, format="texts")
    double = table(tmp_path / "double.jsonl", {"/x/b.png": "one", "/y/b.png": "two"})
    with (
        cutline.open_dataset(double) as dataset,
        pytest.raises(ConfigError, match=r"/x/b\.png and /y/b\.png are both"),
    ):
        dataset.export(photos, format="texts")
    assert texts(photos) == {}
