"""A folder open for editing: captions change on disk, and every change can be taken back."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import pytest
from PIL import Image

from cutline.dataset.dataset import Dataset
from cutline.dataset.edits import Replace, Suffix
from cutline.dataset.proposals import Proposal
from cutline.dataset.records import EditInfo
from cutline.dataset.writer import StopEdit
from processes import cutline_here

SAVE = EditInfo(kind="save", summary="edit")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five pictures with captions, one of them in a sub-folder with Windows line ends and a mark."""
    top = tmp_path / "photos"
    (top / "sub").mkdir(parents=True)
    for name in ("a", "b", "c", "sub/d", "e"):
        Image.new("RGB", (8, 8)).save(top / f"{name}.jpg")
    for name in ("a", "b", "c"):
        (top / f"{name}.txt").write_text(f"a cat named {name}\n")
    (top / "sub/d.txt").write_bytes(b"\xef\xbb\xbfa cat\r\non a mat\r\n")
    return top


def texts(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*.txt")}


def test_looking_creates_no_file(folder: Path) -> None:
    before = sorted(folder.parent.rglob("*"))
    dataset = Dataset(os.fspath(folder))
    dataset.read_texts()
    assert [dataset.caption(row) for row in range(len(dataset))] == [
        *("a cat named a", "a cat named b", "a cat named c"),
        None,
        "a cat\non a mat",
    ]
    assert (dataset.undo(), dataset.redo(), dataset.history.edits()) == (None, None, [])
    assert sorted(folder.parent.rglob("*")) == before


def test_an_edit_keeps_the_form_of_each_file_and_is_undone_after_a_restart(folder: Path) -> None:
    before = texts(folder)
    dataset = Dataset(os.fspath(folder))
    preview = dataset.preview(Replace(old="cat", new="dog"))
    assert (preview.scope, len(preview.rows)) == (5, 4)
    assert texts(folder) == before
    assert dataset.apply(preview).written == 4
    after = texts(folder)
    assert after == {name: text.replace(b"cat", b"dog") for name, text in before.items()}
    dataset.close()
    again = Dataset(os.fspath(folder))
    undone = again.undo()
    assert undone is not None
    assert undone.written == 4
    assert texts(folder) == before
    redone = again.redo()
    assert redone is not None
    assert texts(folder) == after


def test_a_new_caption_is_a_new_file_and_undo_removes_it(folder: Path) -> None:
    dataset = Dataset(os.fspath(folder))
    dataset.set_captions({dataset.row("e.jpg"): "new"}, SAVE)
    assert (folder / "e.txt").read_bytes() == b"new"
    dataset.undo()
    assert not (folder / "e.txt").exists()


def test_what_another_program_changed_is_a_conflict_and_left_alone(folder: Path) -> None:
    dataset = Dataset(os.fspath(folder))
    preview = dataset.preview(Replace(old="cat", new="dog"))
    (folder / "b.txt").write_text("mine\n")
    result = dataset.apply(preview)
    assert (result.written, result.conflicts) == (3, ("b.txt",))
    assert (folder / "b.txt").read_text() == "mine\n"
    assert dataset.caption(dataset.row("b.jpg")) == "mine"


def test_an_old_edit_is_taken_back_while_later_ones_stay(folder: Path) -> None:
    dataset = Dataset(os.fspath(folder))
    first = dataset.apply(dataset.preview(Replace(old="cat", new="dog")))
    dataset.set_captions({dataset.row("a.jpg"): "by hand"}, SAVE)
    result = dataset.undo(first.id)
    assert result is not None
    assert (result.written, result.conflicts) == (3, ("a.txt",))
    assert (folder / "a.txt").read_text() == "by hand\n"
    assert (folder / "b.txt").read_text() == "a cat named b\n"


def test_a_stopped_edit_is_undone_as_far_as_it_went(folder: Path) -> None:
    before = texts(folder)
    dataset = Dataset(os.fspath(folder))

    def progress(done: int) -> None:
        if done == 2:
            raise StopEdit

    result = dataset.apply(dataset.preview(Replace(old="cat", new="dog")), progress)
    assert (result.written, result.stopped) == (2, 2)
    assert texts(folder) != before
    dataset.undo()
    assert texts(folder) == before


def _die_midway(folder: str) -> None:
    dataset = Dataset(folder)

    def progress(done: int) -> None:
        if done == 2:
            os._exit(9)

    dataset.apply(dataset.preview(Replace(old="cat", new="dog")), progress)


def test_an_edit_of_a_killed_process_is_finished_at_the_next_start(folder: Path) -> None:
    before = texts(folder)
    process = multiprocessing.get_context("spawn").Process(target=_die_midway, args=(os.fspath(folder),))
    process.start()
    process.join()
    assert process.exitcode == 9
    dataset = Dataset(os.fspath(folder))
    assert [result.written for result in dataset.recovered] == [4]
    assert texts(folder) == {name: text.replace(b"cat", b"dog") for name, text in before.items()}
    dataset.undo()
    assert texts(folder) == before


def test_pictures_that_share_a_text_are_edited_apart(tmp_path: Path) -> None:
    for name in ("x.jpg", "x.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    (tmp_path / "x.txt").write_text("both")
    dataset = Dataset(os.fspath(tmp_path))
    dataset.set_captions({dataset.row("x.png"): "the png"}, SAVE)
    assert [dataset.caption(row) for row in (0, 1)] == ["both", "the png"]
    assert (tmp_path / "x.txt").read_text() == "both"


def test_marks_are_found_undone_and_there_after_a_restart(folder: Path) -> None:
    dataset = Dataset(os.fspath(folder))
    dataset.set_mark([0, 2], "done")
    dataset.set_mark([2], "flagged")
    assert dataset.find("status:done").tolist() == [0, 2]
    assert dataset.find("status:open").tolist() == [1, 3, 4]
    dataset.close()
    again = Dataset(os.fspath(folder))
    assert again.find("status:done status:flagged").tolist() == [2]
    again.undo()
    assert again.find("status:flagged").tolist() == []
    again.undo()
    assert again.find("status:done").tolist() == []
    assert again.find("edited:").tolist() == []


def test_a_proposal_becomes_the_caption_only_when_it_is_accepted(folder: Path) -> None:
    before = texts(folder)
    dataset = Dataset(os.fspath(folder))
    info = EditInfo(kind="generate", summary="generate", model="blip")
    rows = {row: Proposal(caption=f"proposed {row}", model="blip") for row in (0, 3, 4)}
    dataset.propose(rows, info)
    assert texts(folder) == before
    assert dataset.find("has:proposal").tolist() == [0, 3, 4]
    dataset.reject([0])
    assert dataset.accept(range(len(dataset))).failed == ()
    assert dataset.find("has:").tolist() == []
    assert dataset.find("model:blip").tolist() == [3, 4]
    assert (folder / "sub/d.txt").read_bytes() == b"\xef\xbb\xbfproposed 4\r\n"
    assert (folder / "a.txt").read_bytes() == before["a.txt"]
    dataset.undo()
    assert texts(folder) == before
    assert dataset.find("has:proposal").tolist() == [3, 4]


def test_a_text_in_an_unknown_encoding_is_left_alone_and_named(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "x.jpg")
    (tmp_path / "x.txt").write_bytes(b"\x81\x8d\x00\xff\xfe\x90")
    Image.new("RGB", (8, 8)).save(tmp_path / "y.jpg")
    dataset = Dataset(os.fspath(tmp_path))
    result = dataset.set_captions({0: "new", 1: "new"}, SAVE)
    assert result.written == 1
    assert [name for name, _ in result.failed] == ["x.jpg"]
    assert "--text-encoding" in dataset.problem(0)
    assert dataset.problem(1) == ""
    assert (tmp_path / "x.txt").read_bytes() == b"\x81\x8d\x00\xff\xfe\x90"


def test_caption_files_of_another_ending_are_read_and_edited(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "x.jpg")
    (tmp_path / "x.caption").write_text("there")
    dataset = Dataset(os.fspath(tmp_path))
    assert dataset.caption(0) == "there"
    dataset.set_captions({0: "new"}, SAVE)
    assert (tmp_path / "x.caption").read_text() == "new"
    assert not (tmp_path / "x.txt").exists()


def test_a_folder_that_becomes_a_link_to_elsewhere_is_not_written_to(folder: Path) -> None:
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "d.txt").write_bytes(b"a cat\non a mat\n")
    with Dataset(os.fspath(folder)) as dataset:
        assert dataset.set_captions({dataset.row("sub/d.jpg"): "a cat"}, SAVE).written == 1
        (folder / "sub").rename(folder.parent / "moved")
        (folder / "sub").symlink_to(elsewhere, target_is_directory=True)
        time.sleep(0.05)
        result = dataset.set_captions({dataset.row("sub/d.jpg"): "theirs"}, SAVE)
        assert (result.written, len(result.failed)) == (0, 1)
        assert "out of the folder" in result.failed[0][1]
        (folder / "sub").unlink()
        (folder.parent / "moved").rename(folder / "sub")
        assert dataset.set_captions({dataset.row("sub/d.jpg"): "mine"}, SAVE).written == 1
    assert (elsewhere / "d.txt").read_bytes() == b"a cat\non a mat\n"
    assert (folder / "sub/d.txt").read_bytes() == b"\xef\xbb\xbfmine\r\n"


def test_an_edit_of_more_than_a_block_is_conflict_checked_stopped_and_undone(tmp_path: Path) -> None:
    for number in range(2500):
        (tmp_path / "photos").mkdir(exist_ok=True)
        (tmp_path / f"photos/{number:04}.jpg").touch()
        (tmp_path / f"photos/{number:04}.txt").write_text(f"cat {number}")
    before = texts(tmp_path)
    with Dataset(f"{tmp_path}/photos") as dataset:
        found = dataset.preview(Replace(old="cat", new="dog"))
        (tmp_path / "photos/1500.txt").write_text("theirs")

        def progress(done: int) -> None:
            if done == 2000:
                raise StopEdit

        result = dataset.apply(found, progress)
        assert (result.written, result.stopped, result.conflicts) == (2000, 499, ("1500.txt",))
        assert len(dataset.find("dog")) == 2000
        undone = dataset.undo()
        assert undone is not None
        assert (undone.written, undone.conflicts, undone.stopped) == (2000, (), 0)
        assert len(dataset.find("dog")) == 0
    (tmp_path / "photos/1500.txt").write_text("cat 1500")
    assert texts(tmp_path) == before


def test_a_text_that_is_not_utf8_is_marked_and_keeps_its_encoding(tmp_path: Path) -> None:
    texts = {
        "a": "Ein Café für Männer\r\n".encode("cp1252"),
        "b": "\ufeffein Café\r\n".encode("utf-16-le"),
        "c": "ein Café\n".encode(),
    }
    for name, content in texts.items():
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.txt").write_bytes(content)
        os.utime(tmp_path / f"{name}.txt", (1.7e9, 1.7e9))
    for _ in range(2):  # the second time from the cache
        with Dataset(str(tmp_path), cache=tmp_path / "cache") as dataset:
            dataset.read_texts()
            notes = [dataset.note(row) for row in range(3)]
            assert [("cp1252" in notes[0]), ("utf-16" in notes[1]), notes[2]] == [True, True, ""], notes
    with Dataset(str(tmp_path)) as dataset:
        dataset.apply(dataset.preview(Suffix(text="!")))
        assert (tmp_path / "a.txt").read_bytes() == "Ein Café für Männer!\r\n".encode("cp1252")
        dataset.set_captions({0: "日本"}, EditInfo(kind="save", summary="x"))
        assert "in UTF-8 now, and was in cp1252" in dataset.note(0)
        assert (tmp_path / "a.txt").read_bytes() == "日本\r\n".encode()


def test_a_bulk_edit_tells_which_files_it_makes_utf8(tmp_path: Path) -> None:
    french, czech = "un café très noir à Paris, a cat", "žluťoučký kůň skáče přes ploty, a cat"
    contents = {
        "fr/a": french.encode("cp1252"),
        "fr/b": french.encode("cp1252"),
        "cs/c": czech.encode("cp1250"),
        "d": b"a cat",
    }
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.txt").write_bytes(content)
    with Dataset(str(tmp_path)) as dataset:
        rows = [dataset.row(f"fr/{name}.png") for name in "ab"]
        assert not dataset.conversions(dataset.preview(Suffix(text=" €"), rows))
        cats = dataset.preview(Replace(old="cat", new="猫"))
        assert dataset.conversions(cats) == {"cp1250": 1, "cp1252": 2}
        (tmp_path / "fr/b.txt").write_text("changed since")
        result = dataset.apply(cats)
        assert (result.written, result.converted) == (3, (("cp1250", 1), ("cp1252", 1)))
        assert "in UTF-8 now, and was in cp1252" in dataset.note(rows[0])
        assert [version.caption for version in dataset.versions("fr/a.png")][-1] == french
        assert "in UTF-8 now, and was in cp1252" in dataset.note(rows[0])  # not what the history has
        undone = dataset.undo()
        assert undone is not None
        assert (undone.written, undone.converted) == (3, ())
        assert "in cp1252, which edits keep" in dataset.note(rows[0])
        assert (tmp_path / "fr/a.txt").read_bytes() == contents["fr/a"]
        redone = dataset.redo()
        assert redone is not None
        assert redone.converted == (("cp1250", 1), ("cp1252", 1))


def test_a_text_behind_a_link_out_of_the_folder_is_neither_read_nor_written(tmp_path: Path) -> None:
    photos, outside = tmp_path / "photos", tmp_path / "outside"
    photos.mkdir()
    outside.mkdir()
    for place in (photos / "a.png", photos / "b.png", outside / "c.png"):
        Image.new("RGB", (8, 8)).save(place)
    for name in ("a", "c"):
        (outside / f"{name}.txt").write_text("a secret")
    (photos / "a.txt").symlink_to(outside / "a.txt")
    (photos / "more").symlink_to(outside)
    with Dataset(str(photos)) as dataset:
        assert dataset.texts().null_count == len(dataset) == 3
        for key in ("a.png", "more/c.png"):
            problem = dataset.problem(dataset.row(key))
            assert (
                "is, or lies behind, a link that leads out of the folder: put a file there, or give"
                in problem
            )
        rows = {dataset.row("a.png"): "x", dataset.row("more/c.png"): "y"}
        assert len(dataset.set_captions(rows, SAVE).failed) == 2
    assert [file.read_text() for file in sorted(outside.glob("*.txt"))] == ["a secret", "a secret"]


def test_texts_behind_links_are_edited_where_that_is_allowed(tmp_path: Path) -> None:
    photos, outside = tmp_path / "photos", tmp_path / "outside"
    photos.mkdir()
    outside.mkdir()
    for place in (photos / "a.png", outside / "c.png"):
        Image.new("RGB", (8, 8)).save(place)
    for name in ("a", "c"):
        (outside / f"{name}.txt").write_text(f"a cat, {name}")
        os.utime(outside / f"{name}.txt", (1.7e9, 1.7e9))
    (photos / "a.txt").symlink_to(outside / "a.txt")
    (photos / "more").symlink_to(outside)
    options = {"--dry-run": "2 of 2 captions would change", "--trim": "2 of 2 captions changed"}
    for option, message in options.items():
        edit = ("edit", photos, "--replace", "cat", "dog", "--follow-links", option)
        done = cutline_here(*edit)
        assert message in done.stdout + done.stderr
    assert [(photos / name).read_text() for name in ("a.txt", "more/c.txt")] == ["a dog, a", "a dog, c"]
    assert not (photos / "a.txt").is_symlink()  # as where a run writes
    assert (outside / "a.txt").read_text() == "a cat, a"
    found = ("find", photos, "dog", "--count")
    assert cutline_here(*found, "--follow-links").stdout == "2\n"
    (photos / "a.txt").unlink()
    assert cutline_here(*found).stdout == "0\n"  # not from a cache either
    refused = cutline_here("undo", photos)
    assert "more/c.txt is, or lies behind, a link that leads out of the folder" in refused.stderr
    assert "--follow-links" in refused.stderr
    assert cutline_here("undo", photos, "--follow-links", "--edit", "1").returncode == 1  # a.txt is gone
    assert (outside / "c.txt").read_text() == "a cat, c"
