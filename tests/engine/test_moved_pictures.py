"""Rejected pictures are moved with their texts, and all of them back, whatever happens in between."""

from __future__ import annotations

import pytest

from cutline.engine.moved_pictures import LIST, PictureMover, move_back
from cutline.errors import ConfigError


@pytest.fixture
def photos(tmp_path):
    for name in (
        "a.jpg",
        "a.txt",
        "a.jpg.caption",
        "sub/b.png",
        "sub/b.json",
        "c.jpg",
        "c.png",
        "c.txt",
        "a.x.txt",
    ):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "photos"


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()
    }


def moved(photos, out, *names):
    mover = PictureMover(str(photos), str(out))
    for name in names:
        mover.move(str(photos / name))
    mover.close()


def test_the_texts_of_a_picture_go_along_and_all_come_back(photos, tmp_path):
    before = files(photos)
    moved(photos, tmp_path / "out", "a.jpg", "sub/b.png")
    assert set(files(tmp_path / "out")) == {
        "a.jpg",
        "a.txt",
        "a.jpg.caption",
        "sub/b.png",
        "sub/b.json",
        LIST,
    }
    assert set(files(photos)) == {"c.jpg", "c.png", "c.txt", "a.x.txt"}
    result = move_back(tmp_path / "out")
    assert (result.pictures, result.texts, result.taken, result.gone) == (2, 3, (), ())
    assert files(photos) == before
    assert not (tmp_path / "out").exists()


def test_a_text_of_two_pictures_stays(photos, tmp_path):
    moved(photos, tmp_path / "out", "c.jpg")
    assert set(files(tmp_path / "out")) == {"c.jpg", LIST}


def test_a_name_that_is_taken_gets_a_number_and_comes_back_by_its_own(photos, tmp_path):
    before = files(photos)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.jpg").write_text("another")
    moved(photos, tmp_path / "out", "a.jpg")
    assert files(tmp_path / "out")["a.jpg"] == "another"
    assert files(tmp_path / "out")["a (2).jpg"] == "a.jpg"
    assert move_back(tmp_path / "out" / LIST).taken == ()
    assert files(photos) == before
    assert files(tmp_path / "out") == {"a.jpg": "another"}


def test_what_has_come_to_the_old_place_is_left_alone(photos, tmp_path):
    moved(photos, tmp_path / "out", "a.jpg")
    (photos / "a.jpg").write_text("new")
    result = move_back(tmp_path / "out")
    assert result.taken == ((str(photos / "a.jpg"), str(tmp_path / "out/a.jpg")),)
    assert files(photos)["a.jpg"] == "new"
    assert files(tmp_path / "out")["a.jpg"] == "a.jpg"
    (photos / "a.jpg").unlink()
    assert move_back(tmp_path / "out").pictures == 1
    assert files(photos)["a.jpg"] == "a.jpg"


def test_a_move_that_was_cut_off_is_taken_back(photos, tmp_path):
    before = files(photos)
    moved(photos, tmp_path / "out", "a.jpg")
    listed = tmp_path / "out" / LIST
    (tmp_path / "out/a.txt").rename(photos / "a.txt")  # noted, and killed before it was moved
    with listed.open("ab") as file:
        file.write(b'{"from": "half a li')
    restored = move_back(listed)
    assert (restored.taken, restored.gone) == ((), ())
    assert files(photos) == before


def test_several_calls_share_a_list(photos, tmp_path):
    before = files(photos)
    moved(photos, tmp_path / "out", "a.jpg")
    moved(photos, tmp_path / "out", "c.jpg")
    restored = move_back(tmp_path / "out")
    assert (restored.pictures, restored.texts) == (2, 2)
    assert files(photos) == before


@pytest.mark.parametrize("out", ["photos", "photos/sub/out", "."])
def test_a_folder_that_holds_the_other_is_refused(photos, tmp_path, out):
    with pytest.raises(ConfigError, match="outside of"):
        PictureMover(str(photos), str(tmp_path / out))


def test_another_file_is_no_list(photos):
    with pytest.raises(ConfigError, match="is not a list of"):
        move_back(photos / "a.txt")
    with pytest.raises(ConfigError, match="there is no list of moved pictures"):
        move_back(photos / "nothing.jsonl")
