"""A folder that is moved away, or whose disk is, while its dataset is open."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from cutline.dataset.dataset import Dataset
from cutline.dataset.edits import Prefix
from cutline.dataset.records import EditInfo
from cutline.errors import ConfigError, SinkError


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for place in ("near", "far"):
        (folder / place).mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (8, 8)).save(folder / place / f"{number}.png")
            if number:
                (folder / place / f"{number}.txt").write_text(f"a {place} cat {number}")
    return folder


@pytest.fixture
def dataset(photos: Path) -> Iterator[Dataset]:
    with Dataset(str(photos)) as opened:
        opened.read_texts()
        yield opened


@pytest.mark.parametrize("place", ["missing", "empty"])
def test_captions_stay_and_edits_name_the_folder(photos: Path, dataset: Dataset, place: str) -> None:
    away = photos.rename(photos.parent / "away")
    if place == "empty":  # as that of a disk that is not mounted
        photos.mkdir()
        time.sleep(0.05)  # a moment that it was seen in is over
    before = dataset.texts().to_pylist()
    assert before == [None, "a far cat 1", "a far cat 2", None, "a near cat 1", "a near cat 2"]
    info = EditInfo(kind="save", summary="edit")
    with pytest.raises(SinkError, match="photos is gone: put it back"):
        dataset.set_captions({1: "typed"}, info, before={1: "a far cat 1"})
    with pytest.raises(SinkError, match="photos is gone: put it back"):
        dataset.set_captions({0: "typed"}, info, before={0: None})
    with pytest.raises(SinkError, match="photos is gone: put it back"):
        dataset.apply(dataset.preview(Prefix(text="x ")))
    with pytest.raises(SinkError, match="photos is gone: put it back"):
        dataset.refresh(range(6))
    if place == "missing":
        with pytest.raises(ConfigError, match="photos is gone, put it back"):
            dataset.export(photos.parent / "out.zip")
    assert dataset.texts().to_pylist() == before
    assert dataset.history.edits() == []
    if place == "empty":
        photos.rmdir()
    away.rename(photos)  # the cure
    assert dataset.refresh(range(6)) == []
    assert dataset.apply(dataset.preview(Prefix(text="x "))).written == 4


def test_an_edit_stops_where_the_folder_goes(photos: Path, dataset: Dataset) -> None:
    def away(done: int) -> None:
        if done == 2 and photos.exists():
            photos.rename(photos.parent / "away")

    result = dataset.apply(dataset.preview(Prefix(text="x ")), away)
    assert (result.written + result.stopped, len(result.failed)) == (4, 1)
    assert "photos is gone" in result.failed[0][1]
    (photos.parent / "away").rename(photos)
    dataset.undo()
    assert (photos / "near" / "2.txt").read_text() == "a near cat 2"
    assert (photos / "far" / "1.txt").read_text() == "a far cat 1"


def test_texts_of_a_folder_within_it_are_as_good_as_deleted(photos: Path, dataset: Dataset) -> None:
    (photos / "far").rename(photos.parent / "far")
    info = EditInfo(kind="save", summary="edit")
    result = dataset.set_captions({1: "typed"}, info, before={1: "a far cat 1"})
    assert result.conflicts == ("far/1.txt",)
    result = dataset.set_captions({1: "typed"}, info, before={1: None})
    assert result.failed == (("far/1.txt", "the folder of far/1.txt is gone: put it back"),)
    assert not (photos / "far").exists()
