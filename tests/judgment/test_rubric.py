"""``cutline judge --rubric``: single captions rated from 1 to 5."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import processes
from cutline.judgment.rubric import CRITERIA, Rating, summarize
from server_process import Server


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two outputs about thirty pictures; the captions of the last ten are equal."""
    monkeypatch.chdir(tmp_path)
    for word in ("poor", "fine"):
        rows = []
        for number in range(30):
            photo = tmp_path / f"{number:02}.png"
            Image.new("RGB", (32, 24), (8 * number, 90, 160)).save(photo)
            text = f"A {word} caption of {number}." if number < 20 else "The same."
            rows.append(json.dumps({"image_id": photo.name, "image_path": str(photo), "caption": text}))
        (tmp_path / f"{word}.jsonl").write_text("\n".join(rows))
    return tmp_path


@pytest.fixture
def judge(servers: Callable[..., Server]) -> Server:
    server = servers("judge.py", "--strength=poor=-0.7", "--strength=fine=0.7")
    server.post(
        "/configure",
        {"place": 0.0, "nonsense": 0.0, "spread": 0.0, "latency": 0.0, "always": "", "model": "j"},
    )
    return server


def judged(judge: Server, *arguments: str) -> Any:
    command = ("judge", "poor.jsonl", "fine.jsonl", "--rubric", "--judge", "judge-1", "--endpoint", judge.url)
    return processes.cutline_here(*command, *arguments)


def test_captions_are_rated_once_each(folder: Path, judge: Server) -> None:
    judge.post("/configure", {"nonsense": 0.05})
    ran = judged(judge, "--output-path", "out.json")
    assert ran.returncode in {0, 1}, ran.stderr
    found = json.loads((folder / "out.json").read_text("utf-8"))
    assert [one["name"] for one in found["rubric"]["contestants"]] == ["fine.jsonl", "poor.jsonl"]
    assert judge.get("/stats")["requests"] == 50, "equal captions of a picture are rated once"
    assert len(found["ratings"]) == 60
    missed = [one for one in found["ratings"] if one["problem"]]
    assert all(one["problem"].startswith("schema-miss: ") for one in missed)
    assert sum(found["rubric"]["captions_without_rating"].values()) == len(missed)
    for one in found["ratings"]:
        assert one["problem"] or all(one[name] in {1, 2, 3, 4, 5} for name in CRITERIA)
    best = found["rubric"]["contestants"][0]
    assert best["overall"]["low"] < best["overall"]["value"] < best["overall"]["high"]
    (pair,) = found["rubric"]["pairs"]
    assert pair["difference"]["low"] > 0
    assert "fine.jsonl is rated clearly higher than poor.jsonl" in ran.stdout
    assert found["games"] == []


def test_ratings_are_written_as_a_table_and_as_a_page(folder: Path, judge: Server) -> None:
    judge.post("/configure", {})
    assert judged(judge, "--output-path", "out.csv").returncode == 0
    with (folder / "out.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 60
    assert list(rows[0]) == ["image_id", "contestant", *CRITERIA, "reason", "problem"]
    assert judged(judge, "--output-path", "out.html").returncode == 0
    text = (folder / "out.html").read_text("utf-8")
    assert "fine.jsonl is rated clearly higher than poor.jsonl" in text
    assert "accuracy 4 · coverage" in text
    assert "<script" not in text


def test_a_rubric_needs_a_model(folder: Path) -> None:
    ran = processes.cutline_here("judge", "poor.jsonl", "fine.jsonl", "--rubric", "--people", "p.html")
    assert ran.returncode == 2
    assert "--rubric is for a model that judges: add --judge MODEL" in ran.stderr


def rating(picture: str, name: str, value: int) -> Rating:
    return Rating(picture=picture, contestant=name, values=dict.fromkeys(CRITERIA, value))


def test_means_and_differences_leave_out_what_is_missing() -> None:
    ratings = [rating(f"{n}", "a", 2 + n % 3) for n in range(12)] + [rating(f"{n}", "b", 5) for n in range(6)]
    missing = Rating(picture="7", contestant="b", kind="schema-miss", problem="?")
    found = summarize(["a", "b", "c"], [*ratings, missing])
    assert found is not None
    assert [(one.name, one.captions, one.overall.value) for one in found.contestants] == [
        ("b", 6, 5.0),
        ("a", 12, 3.0),
    ]
    assert found.differences["b", "a"].value == 2.0
    assert found.unanswered == {"schema-miss": 1}
    assert summarize(["a"], [missing]) is None
    alone = summarize(["a"], [rating("1", "a", 4)])
    assert alone is not None
    assert alone.contestants[0].overall.low is None
