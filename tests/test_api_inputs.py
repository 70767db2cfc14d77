"""What Python takes as a picture, and as several: nothing is taken for something else."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cutline
from cutline.errors import ConfigError

GOLD = Image.new("RGB", (48, 32), "gold")


def png(image: Image.Image = GOLD) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "gold.png"
    path.write_bytes(png())
    return path


def written() -> io.BytesIO:
    """A buffer as it is after writing: at its end."""
    buffer = io.BytesIO()
    GOLD.save(buffer, "PNG")
    return buffer


class OneWay(io.BytesIO):
    """As the response to a download: it is read once."""

    def seekable(self) -> bool:
        return False


ONE = {
    "array": lambda _: np.asarray(GOLD),
    "array with alpha": lambda _: np.asarray(GOLD.convert("RGBA")),
    "array HxW": lambda _: np.asarray(GOLD.convert("L")),
    "array HxWx1": lambda _: np.asarray(GOLD.convert("L"))[..., None],
    "part of an array": lambda _: np.asarray(GOLD)[::2, ::-1],
    "Pillow": lambda _: GOLD,
    "bytes": lambda _: png(),
    "bytearray": lambda _: bytearray(png()),
    "memoryview": lambda _: memoryview(png()),
    "buffer": lambda _: written(),
    "stream that cannot go back": lambda path: OneWay(path.read_bytes()),
    "path": lambda path: path,
    "text": os.fspath,
    "entry of a folder": lambda path: [*os.scandir(path.parent)].pop(),
    "bytes by name": lambda _: {"bytes": png(), "path": "gold.png"},
    "memoryview in a row": lambda _: {"bytes": memoryview(png())},
    "bytearray in a row": lambda _: {"image": bytearray(png()), "id": 7},
    "row with a path": lambda path: {"image": str(path), "id": 7},
    "row with an image": lambda _: {"id": 7, "image": GOLD},
    "row as of datasets": lambda _: {"image": {"bytes": png(), "path": None}},
}


@pytest.mark.parametrize("form", ONE)
def test_one_picture_in_any_form(form: str, photo: Path) -> None:
    result = cutline.caption(ONE[form](photo), model="pixels")
    assert isinstance(result, cutline.CaptionResult)
    assert (result.error, bool(result.caption)) == (None, True)
    with cutline.load("pixels") as model:
        assert model.caption(ONE[form](photo)).caption == result.caption
        assert [one.caption for one in model.map([ONE[form](photo)])] == [result.caption]
    captions = cutline.caption([ONE[form](photo), photo], model="pixels")
    assert (captions.failures, captions[0]["caption"]) == ([], result.caption)


NO_PICTURE = {
    "floats": (np.zeros((8, 8, 3), np.float32), r"\(255 \* array\)"),
    "booleans": (np.zeros((8, 8), bool), r"255 \* array\.astype"),
    "16 bits": (np.zeros((8, 8), np.uint16), r"astype\('uint8'\)"),
    "channels first": (np.zeros((3, 8, 8), np.uint8), r"transpose\(1, 2, 0\)"),
    "several": (np.zeros((2, 8, 8, 3), np.uint8), r"list\(array\)"),
    "a row": (np.zeros(8), "HxW"),
    "nothing": (np.zeros((0, 8, 3), np.uint8), "HxW"),
    "text file": (io.StringIO("a.jpg\nb.jpg\n"), "mode 'rb'"),
    "other keys": ({"train": [], "test": []}, "'image', 'path', 'url'"),
    "no keys": ({}, "'image', 'path', 'url'"),
    "columns": ({"image": ["a.jpg", "b.jpg"]}, "list of rows"),
    "empty cell": ({"image": None}, "is empty"),
}


@pytest.mark.parametrize("form", NO_PICTURE)
def test_what_is_no_picture_is_refused_with_the_cure(form: str) -> None:
    given, cure = NO_PICTURE[form]
    with pytest.raises(ConfigError, match=cure) as caught:
        cutline.caption(given, model="pixels")
    assert "\n" not in str(caught.value)
    with cutline.load("pixels") as model:
        with pytest.raises(ConfigError, match=cure):
            model.caption(given)
        (result,) = model.map([given])
        assert (result.kind, result.caption) == ("unsupported", None)
    captions = cutline.caption([GOLD, given], model="pixels")
    assert (len(captions), [failure["kind"] for failure in captions.failures]) == (1, ["unsupported"])


def test_a_tensor_is_refused_with_the_way_to_an_array() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(ConfigError, match=r"permute\(1, 2, 0\).*numpy\(\).*Pillow"):
        cutline.caption(torch.zeros(3, 8, 8), model="pixels")
    (failure,) = cutline.caption([torch.zeros(3, 8, 8)], model="pixels").failures
    assert "Pillow" in failure["message"]


def test_an_open_file_is_one_picture_and_a_closed_one_fails(photo: Path) -> None:
    with photo.open("rb") as file:
        assert cutline.caption(file, model="pixels").caption
        assert len(cutline.caption([file, file], model="pixels")) == 2
    assert "closed" in (cutline.caption(file, model="pixels").error or "")


LISTS = {
    "generator": lambda path: (each for each in (path, GOLD)),
    "set": lambda path: {path, path.with_name("link.png")},
    "tuple": lambda path: (path, GOLD),
    "array of paths": lambda path: np.array([str(path), str(path)]),
    "views": lambda path: {"a": path, "b": GOLD}.values(),
    "folder's entries": lambda path: (path for _ in range(2)),
}


@pytest.mark.parametrize("form", LISTS)
def test_several_pictures_in_any_form(form: str, photo: Path) -> None:
    photo.with_name("link.png").write_bytes(png(Image.new("RGB", (8, 8))))
    captions = cutline.caption(LISTS[form](photo), model="pixels")
    assert (len(captions), captions.failures) == (2, [])
    with cutline.load("pixels") as model:
        assert len([one for one in model.map(LISTS[form](photo)) if one.caption]) == 2


def rows_of(photo: Path) -> list[dict[str, object]]:
    return [
        {"image": str(photo), "place": "Rome"},
        {"image": str(photo.with_name("no.png")), "place": "Bonn"},
    ]


def _arrow(rows: list[dict[str, object]]) -> object:
    return pytest.importorskip("pyarrow").Table.from_pylist(rows)


TABLES = {
    "mappings": lambda rows: rows,
    "pandas": lambda rows: pytest.importorskip("pandas").DataFrame(rows),
    "Arrow": _arrow,
    "batches of Arrow": lambda rows: _arrow(rows).to_reader(),
    "Polars": lambda rows: pytest.importorskip("polars").DataFrame(rows),
    "Hugging Face": lambda rows: pytest.importorskip("datasets").Dataset.from_list(list(rows)),
}


@pytest.mark.parametrize("form", TABLES)
def test_the_rows_of_a_table_are_pictures(form: str, photo: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    captions = cutline.caption(TABLES[form](rows_of(photo)), output, model="fake")
    (row,) = captions
    assert (row["image_id"], row["metadata"]["place"]) == (photo.as_posix(), "Rome")
    assert [failure["kind"] for failure in captions.failures] == ["missing"]
    with cutline.load("fake") as model:
        found = list(model.map(TABLES[form](rows_of(photo))))
    assert [one.caption for one in found] == [row["caption"], None]


def test_rows_with_bytes_are_named_by_another_column(photo: Path) -> None:
    rows = [{"id": "a/1", "image": GOLD, "caption": "old"}, {"bytes": png(), "path": "b/2.png"}]
    captions = cutline.caption(rows, model="fake", existing="skip")
    assert captions.report.counts.captions == 1
    assert list(cutline.caption(rows, model="fake").to_dict()) == ["a/1", "b/2.png"]


def test_a_column_of_a_frame_is_a_list(photo: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"shot": [str(photo)] * 2})
    with pytest.raises(ConfigError, match="image_column needs the file of a table"):
        cutline.caption(frame, model="fake", image_column="shot")
    assert "'shot'" in cutline.caption(frame, model="fake").failures[0]["message"]
    assert len(cutline.caption(frame["shot"], model="fake")) == 2


@pytest.mark.parametrize("one", ["photos/", b"1", GOLD, {"image": "a.jpg"}, np.zeros((8, 8, 3), np.uint8)])
def test_map_refuses_one_picture(one: object) -> None:
    with cutline.load("fake") as model, pytest.raises(ConfigError, match=r"give \[picture\] for one"):
        next(model.map(one))  # type: ignore[arg-type]


async def test_within_a_loop_the_same_are_taken(photo: Path) -> None:
    assert (await cutline.acaption(np.asarray(GOLD), model="pixels")).caption
    async with cutline.aload("pixels") as model:
        assert (await model.acaption(np.asarray(GOLD))).caption
        with pytest.raises(ConfigError, match=r"give \[picture\] for one"):
            await anext(model.amap(np.asarray(GOLD)))


def test_a_folder_in_place_of_a_list_or_a_picture_names_what_takes_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    Image.new("RGB", (8, 8), "red").save("photos/a.png")
    with cutline.load("fake") as model:
        with pytest.raises(cutline.ConfigError, match=r"'photos/' is a folder: cutline\.caption\('photos/'"):
            list(model.map("photos/"))
        assert [row["image_id"] for row in cutline.caption("photos/", model=model)] == ["a.png"]
        (found,) = model.map(["photos/"])
        assert "photos/: a folder, not a picture: give its pictures" in found.error
        assert "not a regular file" not in found.error
