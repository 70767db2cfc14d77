"""``cutline compare --judge``: a judge's figures among the others."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import cutline
import processes
from server_process import Server


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for word in ("poor", "fine"):
        rows = []
        for number in range(24):
            photo = tmp_path / "photos" / f"{number:02}.png"
            Image.new("RGB", (32, 24), (8 * number, 90, 160)).save(photo)
            text = f"A {word} caption of {number}."
            rows.append(json.dumps({"image_id": photo.name, "image_path": str(photo), "caption": text}))
        (tmp_path / f"{word}.jsonl").write_text("\n".join(rows))
    return tmp_path


@pytest.fixture
def judge(servers: Callable[..., Server]) -> Server:
    server = servers("judge.py", "--strength=poor=-0.9", "--strength=fine=0.9")
    settings = {"place": 0.5, "nonsense": 0.0, "spread": 0.0, "latency": 0.0, "always": "", "model": "j"}
    server.post("/configure", settings)
    return server


def compared(*arguments: str) -> Any:
    return processes.cutline_here("compare", *arguments)


def test_its_figures_are_in_the_table_and_in_every_form(folder: Path, judge: Server) -> None:
    options = ("poor.jsonl", "fine.jsonl", "--judge", "judge-1", "--endpoint", judge.url)
    ran = compared(*options, "--output-path", "out.json")
    assert ran.returncode == 0, ran.stderr
    assert judge.get("/stats")["requests"] == 48
    found = json.loads((folder / "out.json").read_text("utf-8"))
    poor, fine = found["contestants"]
    assert fine["strength"]["low"] > 0 > poor["strength"]["high"]
    assert fine["preferred"] == pytest.approx(1 - poor["preferred"])
    assert found["judgment"]["judge"] == "judge-1"
    assert len(found["judgment"]["games"]) == 48
    answers = [one["answers"] for one in found["pictures"]]
    assert all(one["poor.jsonl"]["preferred"] + one["fine.jsonl"]["preferred"] == 1 for one in answers)
    header = ran.stdout.splitlines()[0].split()
    assert header[-2:] == ["preferred", "strength"]
    assert "fine.jsonl is clearly better than poor.jsonl" in ran.stdout
    assert compared(*options, "--output-path", "out.csv").returncode == 0
    with (folder / "out.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["preferred"] for row in rows} <= {"0.0", "0.5", "1.0"}
    assert compared(*options).returncode == 0
    page = (folder / "comparison.html").read_text("utf-8")
    assert "Strength</th>" in page
    assert "<li>judged by judge-1</li>" in page


def test_candidates_are_captioned_then_judged_and_nothing_is_paid_twice(folder: Path, judge: Server) -> None:
    options = ("fake", "fine.jsonl", "--judge", "judge-1", "--endpoint", judge.url, "--image-limit", "6")
    for earlier in ("", "12 games judged, all of these in earlier runs"):
        ran = compared(*options, "--input-path", "photos", "--output-path", "out.json")
        assert ran.returncode == 0, ran.stderr
        assert ("earlier runs" in ran.stderr) == bool(earlier)
        assert earlier in ran.stderr
        assert judge.get("/stats") == {"requests": 12, "games": 12, "repeated": 0}
    found = json.loads((folder / "out.json").read_text("utf-8"))
    assert found["contestants"][1]["preferred"] > 0.5


@pytest.mark.parametrize("rules", [("--dedup", "exact"), ("--dedup", "near", "--keep", "side>=1")])
def test_rules_of_pictures_leave_no_game_out(folder: Path, judge: Server, rules: tuple[str, ...]) -> None:
    options = ("fake", "fine.jsonl", "--judge", "judge-1", "--endpoint", judge.url, "--image-limit", "6")
    ran = compared(*options, *rules, "--input-path", "photos", "--output-path", "out.json")
    assert ran.returncode == 0, ran.stderr
    assert "12 games about 6 pictures, 0 without verdict" in ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--judge", "pixels"), "pixels follows no instructions and cannot judge"),
        (("--judge", "chain.toml"), "--judge chain.toml is a file: give a model"),
        (("--judge", "nobody"), "'nobody' is neither a model nor a file"),
        (("--judge", "fake", "--prompt", "short"), "no candidate supports --prompt: remove it"),
        (
            ("--judge", "fake", "--endpoint", "http://localhost:1/v1"),
            "--endpoint is for models without a provider",
        ),
    ],
)
def test_what_cannot_judge_is_refused(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    ran = compared("poor.jsonl", "fine.jsonl", *arguments)
    assert ran.returncode == 2
    assert message in ran.stderr
    assert not (folder / "comparison.html").exists()


def test_the_budget_is_that_of_all_together(folder: Path, judge: Server) -> None:
    ran = compared(
        *(
            "poor.jsonl",
            "fine.jsonl",
            "--judge",
            "judge-1",
            "--endpoint",
            judge.url,
            "--budget-tokens",
            "3200",
        ),
        *("--max-concurrent-requests", "1", "--output-path", "out.json"),
    )
    assert ran.returncode == 3, ran.stderr
    assert judge.get("/stats")["requests"] <= 12
    assert "stopped: " in ran.stdout


def test_python_gets_the_judgment(folder: Path) -> None:
    found = cutline.compare(None, ["poor.jsonl", "fine.jsonl"], judge="fake", output=folder / "out.html")
    assert found.judgment is not None
    assert found.judgment.ranking is not None
    assert found.judgment.ranking.games == 48
    assert found.candidates[0].figures.strength is not None
