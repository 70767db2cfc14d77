"""The captions of a folder, found, edited and taken back from the command line."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from cutline import EditInfo, open_dataset
from cutline.dataset.records import Change
from processes import PATIENCE, cutline, cutline_here, environment


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    top = tmp_path / "photos"
    top.mkdir()
    for number in range(1, 4):
        Image.new("RGB", (8, 8)).save(top / f"{number}.jpg")
        (top / f"{number}.txt").write_text(f"a cat on a mat, number {number}\n")
    return top


def captions(folder: Path) -> str:
    return "|".join((folder / f"{number}.txt").read_text() for number in range(1, 4))


def test_a_change_is_seen_before_it_happens_and_taken_back_afterwards(folder: Path) -> None:
    before = captions(folder)
    change = ("edit", folder, "--replace", "cat", "dog", "--word", "--where", "1 OR 2")
    tried = cutline(*change, "--dry-run")  # in a process of its own, as a user does
    assert tried.returncode == 0
    within = "replace 'cat' by 'dog' (whole words) where 1 OR 2"
    assert tried.stdout.startswith(f"2 of 2 captions would change: {within}\n1.jpg\n  - a cat on")
    assert tried.stderr == ""
    assert captions(folder) == before
    assert not (folder.parent / "photos.cutline").exists()
    done = cutline_here(*change)
    assert (done.returncode, done.stderr) == (
        0,
        f"2 of 2 captions changed: {within}, 2 files written\n",
    )
    assert captions(folder).count("a dog") == 2
    assert cutline_here("find", folder, '"a dog"', "--count").stdout == "2\n"
    assert cutline_here("find", folder, "cat", "--captions").stdout == "3.jpg\ta cat on a mat, number 3\n"
    assert cutline_here("undo", folder).returncode == 0
    assert captions(folder) == before
    assert cutline_here("redo", folder).returncode == 0
    assert captions(folder).count("a dog") == 2
    assert cutline_here("undo", folder, "--to", "0").returncode == 0
    assert captions(folder) == before
    assert "nothing to undo" in cutline_here("undo", folder).stderr


def test_texts_and_queries_may_begin_with_a_hyphen(folder: Path) -> None:
    (folder / "2.txt").write_text("a dog - on a mat --ar 16:9")
    assert cutline_here("find", folder, "-cat").stdout == "2.jpg\n"
    assert cutline_here("find", folder, "--count", "-dog -1").stdout == "1\n"
    for change in (
        ("--replace", "--ar 16:9", ""),
        ("--replace", "-", "+"),
        ("--prefix", "-"),
        ("--add-tag", "-x"),
    ):
        done = cutline_here("edit", folder, *change, "--where", "-cat")
        assert done.stderr.startswith("1 of 1 caption changed"), done.stderr
    assert (folder / "2.txt").read_text() == "- a dog + on a mat, -x"
    output = folder.parent / "out.csv"
    assert cutline_here("export", folder, output, "--where", "-cat").returncode == 0


def test_a_forgotten_text_is_not_taken_from_the_next_option(folder: Path) -> None:
    before = captions(folder)
    for wrong in (
        ("--prefix", "--dry-run"),
        ("--replace", "cat", "--where", "1"),
        ("--trim", "--where", "--dry-run"),
    ):
        done = cutline_here("edit", folder, *wrong)
        assert done.returncode == 2
        assert "is an option" in done.stderr
    assert captions(folder) == before
    misspelt = cutline_here("find", folder, "--cuont")
    assert misspelt.returncode == 2
    assert "did you mean --count?" in misspelt.stderr


def test_a_pattern_is_told_as_it_was_typed(folder: Path) -> None:
    change = ("--replace", r"number (\d+)", r"№ \1", "--regex")
    within = r"replace pattern 'number (\d+)' by '№ \1'"
    assert within in cutline_here("edit", folder, *change).stderr
    assert within in cutline_here("history", folder).stdout
    assert (folder / "2.txt").read_text() == "a cat on a mat, № 2\n"
    wrong = cutline_here("edit", folder, "--replace", r"\d", r"\5", "--regex")
    assert r"the replacement '\5' is not valid" in wrong.stderr


def test_captions_that_have_a_text_in_another_case_are_counted(folder: Path) -> None:
    (folder / "2.txt").write_text("Cat on a mat")
    done = cutline_here("edit", folder, "--replace", "cat", "dog", "--dry-run")
    assert done.stdout.startswith("2 of 3 captions would change")
    assert done.stderr == "1 more caption with 'cat' in another case: add --ignore-case\n"


def test_the_history_lists_edits_and_the_versions_of_a_caption(folder: Path) -> None:
    assert "no edits yet" in cutline_here("history", folder).stderr
    assert "2.jpg has not been edited" in cutline_here("history", folder, "--picture", "2.jpg").stderr
    cutline_here("edit", folder, "--prefix", "photo:", "--sort-tags")
    cutline_here("edit", folder, "--trigger", "ohwx", "--where", "path:1.jpg")
    lines = cutline_here("history", folder).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["2", "1"]
    assert lines[0].endswith("trigger word 'ohwx' where path:1.jpg, 1 file")
    assert lines[1].endswith("sort tags; prefix 'photo:', 3 files")
    versions = cutline_here("history", folder, "--picture", "1.jpg").stdout
    assert "ohwx, photo: a cat on a mat, number 1" in versions
    assert versions.splitlines()[-1].strip() == "a cat on a mat, number 1  (as found)"
    wrong = cutline_here("history", folder, "--picture", "1.jpeg")
    assert (wrong.returncode, "did you mean 1.jpg?" in wrong.stderr) == (2, True)


def test_a_missing_query_finds_all(folder: Path) -> None:
    (folder / "3.txt").unlink()
    assert cutline_here("find", folder, "--count").stdout == "3\n"
    assert cutline_here("find", folder).stdout.split() == ["1.jpg", "2.jpg", "3.jpg"]


def test_rows_with_several_captions_are_counted(folder: Path) -> None:
    rows = [{"file": f"{n}.jpg", "captions": ["first", "second"][:n]} for n in (1, 2, 2)]
    table = folder / "rows.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = cutline_here(
        "export", table, folder.parent / "out.csv", "--text-column", "captions", "--image-column", "file"
    )
    assert done.returncode == 0
    assert "2 rows with several captions in a list: the first one is used" in done.stderr


def test_texts_that_no_edit_wrote_are_versions_too(folder: Path) -> None:
    cutline_here("edit", folder, "--suffix", "one")
    (folder / "2.txt").write_text("by another program")
    cutline_here("edit", folder, "--suffix", "two")
    (folder / "3.txt").unlink()
    cutline_here("edit", folder, "--trigger", "three")
    with open_dataset(folder) as dataset:
        versions = dataset.versions("2.jpg")
        assert [(version.edit, version.by) for version in versions[-3:]] == [
            (0, "changed by another program"),
            (1, "suffix 'one'"),
            (0, "as found"),
        ]
        assert versions[-3].caption == "by another program"
        assert not any(version.edit == 0 for version in dataset.versions("3.jpg")[:-1])


def test_an_edit_of_the_past_is_taken_back_and_what_changed_since_is_named(folder: Path) -> None:
    cutline_here("edit", folder, "--replace", "cat", "dog")
    (folder / "2.txt").write_text("by hand")
    undone = cutline_here("undo", folder, "--edit", "1")
    assert undone.returncode == 1
    assert "2.txt was changed since, and stays unchanged" in undone.stderr
    assert captions(folder).count("a cat") == 2
    (folder / "2.txt").write_text("a dog on a mat, number 2\n")
    assert cutline_here("undo", folder, "--edit", "1").returncode == 0
    assert captions(folder).count("a cat") == 3


def test_where_nothing_is_found_the_reason_is_given(folder: Path) -> None:
    for command in (("find", folder, "zebra"), ("words", folder, "--where", "path:zoo/")):
        done = cutline_here(*command)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "none of 3 pictures matches\n")
    assert cutline_here("find", folder, "zebra", "--count").stdout == "0\n"
    for number in range(1, 4):
        (folder / f"{number}.txt").unlink()
    for command in (("find", folder, "cat"), ("words", folder), ("edit", folder, "--replace", "a", "b")):
        done = cutline_here(*command)
        assert (done.returncode, done.stdout) == (0, "")
        assert "none of 3 pictures has a caption yet: `cutline caption" in done.stderr


def test_an_edit_that_wrote_nothing_is_passed_over_by_undo(folder: Path) -> None:
    before = captions(folder)
    assert cutline_here("edit", folder, "--prefix", "photo:", "--where", "2").returncode == 0
    with open_dataset(folder) as dataset:
        change = Change(file="3.txt", before=b"of a moment ago", after=b"x")
        result = dataset.write(EditInfo(kind="save", summary="edit 3.jpg"), [change])
        assert (result.id, result.written, result.conflicts) == (2, 0, ("3.txt",))
    alone = cutline_here("undo", folder, "--edit", "2")
    assert (alone.returncode, alone.stderr) == (0, "edit 2 has nothing to undo\n")
    undone = cutline_here("undo", folder, "--to", "0")
    assert (undone.returncode, "undo: prefix 'photo:' where 2, 1 file written" in undone.stderr) == (0, True)
    assert captions(folder) == before
    assert cutline_here("undo", folder).stderr == "nothing to undo\n"


def test_the_history_tells_how_much_of_an_edit_was_undone(folder: Path) -> None:
    cutline_here("edit", folder, "--suffix", "!")
    cutline_here("edit", folder, "--prefix", "2:", "--where", "2")
    assert cutline_here("undo", folder, "--edit", "1").returncode == 1
    lines = cutline_here("history", folder).stdout.splitlines()
    assert lines[2].endswith("suffix '!', 3 files (undone by 3 in 2 of them)")
    assert cutline_here("undo", folder, "--edit", "2").returncode == 0
    assert cutline_here("undo", folder, "--edit", "1").returncode == 0
    lines = cutline_here("history", folder).stdout.splitlines()
    assert lines[-1].endswith("suffix '!', 3 files (undone by 5)")
    cutline_here("edit", folder, "--suffix", "?")
    assert "undone" not in cutline_here("history", folder).stdout.splitlines()[1], "it is in effect"


def test_an_edit_that_was_redone_is_undone_by_its_number(folder: Path) -> None:
    before = captions(folder)
    cutline_here("edit", folder, "--suffix", "!")
    for _ in range(2):
        assert cutline_here("undo", folder).returncode == 0
        assert cutline_here("redo", folder).returncode == 0
    cutline_here("edit", folder, "--prefix", "2:", "--where", "2")
    assert cutline_here("undo", folder, "--edit", "1").returncode == 1
    assert cutline_here("undo", folder, "--edit", "6").returncode == 0
    rest = cutline_here("undo", folder, "--edit", "1")
    assert (rest.returncode, captions(folder)) == (0, before), rest.stderr
    assert "nothing to undo" in cutline_here("undo", folder, "--edit", "1").stderr


def test_what_an_undo_could_not_take_back_can_be_undone_later(folder: Path) -> None:
    folder = folder.rename(folder.with_name("my photos"))
    before = captions(folder)
    assert cutline_here("edit", folder, "--replace", "cat", "tiger").returncode == 0
    assert cutline_here("edit", folder, "--trigger", "zwx").returncode == 0
    first = cutline_here("undo", folder, "--edit", "1")
    assert first.returncode == 1
    assert "to undo it in 3 files too, take back what changed since, then run: " in first.stderr
    assert f"cutline undo {shlex.quote(str(folder))} --edit 1\n" in first.stderr
    assert "undone by" not in cutline_here("history", folder).stdout
    assert cutline_here("redo", folder).stderr == "nothing to redo\n", "nothing was undone"
    everything = cutline_here("undo", folder, "--to", "0")
    assert (everything.returncode, captions(folder)) == (0, before), everything.stderr
    assert cutline_here("undo", folder).stderr == "nothing to undo\n"


def test_a_file_that_was_changed_keeps_an_undo_from_no_other_edit(folder: Path) -> None:
    before = captions(folder)
    assert cutline_here("edit", folder, "--prefix", "photo:", "--where", "1 OR 2").returncode == 0
    assert cutline_here("edit", folder, "--suffix", "at night", "--where", "3").returncode == 0
    edited = (folder / "3.txt").read_text()
    (folder / "3.txt").write_text("mine")
    all_but_one = cutline_here("undo", folder, "--to", "0")
    assert all_but_one.returncode == 1
    assert captions(folder) == before.replace("a cat on a mat, number 3\n", "mine")
    (folder / "3.txt").write_text(edited)
    assert cutline_here("undo", folder).returncode == 0
    assert captions(folder) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("edit", "photos"), "no change given"),
        (("edit", "photos", "--word"), "need --replace OLD NEW: add it"),
        (("edit", "photos", "--replace", "(", "x", "--regex"), "the pattern '(' is not valid"),
        (("find", "photos", "word>3"), "('word>' at character 1 of 'word>3')"),
        (
            ("edit", "photos", "--trim", "--where", "a (b"),
            "this bracket is not closed ('(' at character 3 of 'a (b')",
        ),
        (("edit", "missing", "--trim"), "missing does not exist"),
        (("find", "photos", "words>x"), "words needs a number"),
        (("undo", "photos", "--to", "7"), "there is no edit 7"),
        (("undo", "photos", "--edit", "7"), "there is no edit 7"),
        (("undo", "photos", "--to", "1", "--edit", "1"), "exclude each other"),
        (("find", "empty", "x"), "there are no pictures in empty"),
    ],
)
def test_a_mistake_is_one_line_with_its_cure(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(folder.parent)
    Path("empty").mkdir()
    failed = cutline_here(*arguments)
    assert failed.returncode == 2
    assert message in failed.stderr
    assert len(failed.stderr.splitlines()) == 1


def test_captions_that_match_are_exported(folder: Path) -> None:
    output = folder.parent / "webdata.zip"
    done = cutline_here("export", folder, output, "--where", "number AND (1 OR 2)")
    assert (done.returncode, done.stderr) == (0, f"2 pictures exported to {output}\n")
    assert zipfile.ZipFile(output).namelist() == ["1.jpg", "2.jpg", "captions.json"]
    again = cutline_here("export", folder, output)
    assert (again.returncode, "--overwrite" in again.stderr) == (2, True)
    (folder / "2.txt").unlink()
    done = cutline_here("export", folder, output, "--overwrite", "--format", "kohya")
    assert (done.returncode, done.stderr.partition("; ")[2]) == (0, "1 without a caption left out\n")
    assert json.loads(output.read_text())[f"{folder}/3.jpg"] == {"caption": "a cat on a mat, number 3"}
    assert "cannot tell the format" in cutline_here("export", folder, folder.parent / "out").stderr


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_where_no_file_can_grow_captions_are_read_and_an_edit_names_the_cure(folder: Path) -> None:
    """As on a full disk: the files beside the history cannot be made."""
    assert cutline("edit", folder, "--prefix", "A: ").returncode == 0

    with contextlib.closing(
        sqlite3.connect(folder.with_name("photos.cutline") / "history.sqlite")
    ) as history:
        history.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def limited(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        program = shlex.join([sys.executable, "-m", "cutline", *map(str, arguments)])
        return subprocess.run(
            ["bash", "-c", f"ulimit -f 4; {program}"],
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    found = limited("find", folder, "cat", "--count")
    assert (found.returncode, found.stdout) == (0, "3\n"), found.stderr
    assert limited("history", folder).stdout.count("prefix") == 1
    edited = limited("edit", folder, "--prefix", "B: ")
    assert edited.returncode == 4
    assert "free some space" in edited.stderr
    assert captions(folder).startswith("A: a cat"), "nothing is changed without a history"
    assert cutline("edit", folder, "--prefix", "B: ").returncode == 0
