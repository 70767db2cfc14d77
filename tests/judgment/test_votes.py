"""Votes of people, as files: what is counted, what is left out and named, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import processes
from cutline.judgment.ballot import text_id

BAD, GOOD = "Poor caption {}.", "Good caption {}."


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in (("poor.jsonl", BAD), ("good.jsonl", GOOD)):
        rows = []
        for number in range(6):
            photo = tmp_path / f"{number}.png"
            Image.new("RGB", (64, 40), (40 * number, 90, 160)).save(photo)
            row = {"image_id": photo.name, "image_path": str(photo), "caption": text.format(number)}
            rows.append(json.dumps(row))
        (tmp_path / name).write_text("\n".join(rows))
    return tmp_path


def result(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "out.json").read_text("utf-8"))


def judged(*arguments: str) -> Any:
    return processes.cutline_here("judge", *arguments, "--output-path", "out.json")


def vote(**changes: str) -> str:
    good, bad = text_id(GOOD.format(3)), text_id(BAD.format(3))
    usual = {"voter": "v", "image_id": "3.png", "first": good, "second": bad, "verdict": "first"}
    return json.dumps({**usual, **changes})


def test_people_alone_need_no_model(folder: Path) -> None:
    (folder / "one.jsonl").write_text(vote())
    ran = judged("poor.jsonl", "good.jsonl", "--votes", "one.jsonl")
    assert ran.returncode == 0, ran.stderr
    found = result(folder)
    assert found["judge"] is None
    assert found["people"]["contestants"][0]["name"] == "good.jsonl"
    assert found["people"]["agreement_with_judge"] is None
    assert ran.stdout.startswith("contestant ")


def test_damaged_lines_and_votes_about_other_captions_are_named(folder: Path) -> None:
    lines = [vote(), "{half", vote(verdict="maybe"), vote(first="0" * 16), "[]", "", vote(voter="w")]
    (folder / "some.jsonl").write_text("\n".join(lines))
    ran = judged("poor.jsonl", "good.jsonl", "--votes", "some.jsonl")
    assert ran.returncode == 0, ran.stderr
    assert "some.jsonl: ignored what is not a vote, in line 2, 3, 5" in ran.stderr
    assert "some.jsonl: ignored 1 vote about other captions" in ran.stderr
    assert result(folder)["people"]["votes"] == 2


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_votes_that_an_editor_has_saved_are_read(folder: Path, encoding: str) -> None:
    (folder / "one.jsonl").write_bytes(f"{vote()}\r\n{vote(voter='w')}\r\n".encode(encoding))
    ran = judged("poor.jsonl", "good.jsonl", "--votes", "one.jsonl")
    assert ran.returncode == 0, ran.stderr
    assert "left out" not in ran.stderr
    assert result(folder)["people"]["votes"] == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "votes-x.jsonl does not exist"),
        ("", "holds no votes, it is empty"),
        ("hello", "holds no votes, no line of it is a vote"),
        (
            vote(image_id="other.png"),
            "none of its 1 vote is about these captions: give the outputs that the page",
        ),
    ],
)
def test_files_without_votes_are_refused(folder: Path, text: str | None, message: str) -> None:
    (folder / "votes-x.jsonl").unlink(missing_ok=True)
    if text is not None:
        (folder / "votes-x.jsonl").write_text(text)
    ran = judged("poor.jsonl", "good.jsonl", "--votes", "votes-x.jsonl")
    assert ran.returncode == 2
    assert message in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_the_page_replaces_only_a_page_of_its_kind(folder: Path) -> None:
    for name, message in (
        ("good.jsonl", "the voting page is a local .html file"),
        ("mine.html", "mine.html exists and is not a voting page"),
        ("gone/page.html", "there is no folder gone for --people"),
    ):
        (folder / "mine.html").write_text("mine")
        ran = processes.cutline_here("judge", "poor.jsonl", "good.jsonl", "--people", name)
        assert ran.returncode == 2
        assert message in ran.stderr
    assert (folder / "mine.html").read_text() == "mine"
    for _ in range(2):
        ran = processes.cutline_here("judge", "poor.jsonl", "good.jsonl", "--people", "again.html")
        assert ran.returncode == 0, ran.stderr
    ran = processes.cutline_here("judge", "good.jsonl", "b=good.jsonl", "--people", "equal.html")
    assert "all captions are equal: there are no pairs to vote on" in ran.stderr
