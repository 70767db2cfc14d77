"""What commands of datasets write, never over what they read nor over files of a run; what they refuse."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from processes import cutline_here

ROWS = "image_path,caption\na.png,a dog runs\nb.png,a cat sleeps\n"
COMMANDS = {
    "words": (("words",), ".csv"),
    "cluster": (("cluster", "--clusters", "1"), ".csv"),
    "eval": (("eval",), ".csv"),
    "lint": (("lint",), ".json"),
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "table.csv").write_text(ROWS)
    (tmp_path / "table.json").write_text('[{"image_path": "a.png", "caption": "a dog dog runs"}]')
    for name in "ab":
        Image.new("RGB", (24, 16), (40, 80, 200)).save(tmp_path / f"{name}.png")
    return tmp_path


def run(place: Path, name: str, output: Path, *inputs: str | Path) -> tuple[int, str]:
    (command, *options), _ = COMMANDS[name]
    done = cutline_here(command, *inputs, *options, "--output", output, "--overwrite")
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize("name", list(COMMANDS))
def test_an_input_is_never_the_output(place: Path, name: str) -> None:
    ending = COMMANDS[name][1]
    table = place / f"table{ending}"
    before = table.read_bytes()
    link, other = place / f"link{ending}", place / f"other{ending}"
    link.symlink_to(table)
    os.link(table, other)
    for output in (table, link, other):
        code, message = run(place, name, output, table)
        assert (code, "is also an input: give another output" in message) == (2, True), message
        assert table.read_bytes() == before


def test_what_else_is_read_is_no_output_either(place: Path) -> None:
    words = place / "drop.csv"
    words.write_text("dog\n")
    done = cutline_here("words", place / "table.csv", "--stop-words", words, "-o", words, "--overwrite")
    assert (done.returncode, words.read_text()) == (2, "dog\n"), done.stderr
    objects = place / "objects.jsonl"
    objects.write_text("{}\n")
    done = cutline_here("eval", place / "table.csv", "--objects", objects, "-o", objects, "--overwrite")
    assert "is also an input" in done.stderr


@pytest.mark.parametrize("name", list(COMMANDS))
def test_no_table_is_written_into_the_folder_that_is_read(place: Path, name: str) -> None:
    folder = place / "pictures"
    folder.mkdir()
    Image.new("RGB", (24, 16)).save(folder / "a.png")
    (folder / "a.txt").write_text("a dog dog runs")
    output = folder / f"metadata{COMMANDS[name][1]}"
    code, message = run(place, name, output, folder)
    assert (code, "would be read as a part of it" in message) == (2, True), message
    assert not output.exists()


def test_files_of_a_run_are_not_replaced(place: Path) -> None:
    output = place / "out.csv"
    assert cutline_here("caption", place / "a.png", output, "--model", "fake").returncode == 0
    before = output.read_bytes()
    code, message = run(place, "words", output, place / "table.csv")
    assert (code, "belongs to the run" in message) == (2, True), message
    assert output.read_bytes() == before


def test_findings_replace_no_file_unless_that_is_wanted(place: Path) -> None:
    output = place / "findings.json"
    output.write_text("mine")
    done = cutline_here("lint", place / "table.json", "-o", output)
    assert (done.returncode, output.read_text()) == (2, "mine")
    assert "give another output, or --overwrite" in done.stderr
    assert run(place, "lint", output, place / "table.json")[0] == 0
    assert output.read_text() == "[]"


@pytest.mark.parametrize("name", list(COMMANDS))
def test_there_is_something_to_replace_by_overwrite(place: Path, name: str) -> None:
    (command, *options), ending = COMMANDS[name]
    done = cutline_here(command, place / f"table{ending}", *options, "--overwrite")
    assert (done.returncode, "--overwrite needs an output" in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--list", "photos"),
        ("--list", "--keep", "side>=1"),
        ("--list", "--move-back", "moved"),
        ("--move-back", "moved", "--move-to", "other"),
        ("photos", "--move-back", "moved"),
        ("--move-back", "moved", "--max-pixels", "5"),
    ],
)
def test_what_filter_does_alone_takes_no_other_arguments(arguments: tuple[str, ...]) -> None:
    done = cutline_here("filter", *arguments)
    assert (done.returncode, "cannot be combined with other arguments: remove them" in done.stderr) == (
        2,
        True,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("words", "table.csv", "--limit", "0"), "must be"),
        (("words", "table.csv", "--least", "-5"), "must be"),
        (("history", "table.csv", "--limit", "-1"), "must be"),
        (("compare", "table.csv", "table.csv", "--blind", "-o", "x.csv"), "--blind is for a page"),
        (("report", "table.csv", "x.html", "--of", "none", "--clusters", "3"), "--clusters is for clusters"),
    ],
)
def test_options_that_would_do_nothing_are_refused(
    place: Path, arguments: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    done = cutline_here(*arguments)
    assert (done.returncode, message.lower() in done.stderr.lower()) == (2, True), done.stderr


def test_the_studio_names_a_plugin_that_is_not_there(place: Path) -> None:
    done = cutline_here("studio", place, "--plugin", place / "nowhere.py", "--port", "0")
    assert (done.returncode, "nowhere.py: there is no such file" in done.stderr) == (2, True), done.stderr
