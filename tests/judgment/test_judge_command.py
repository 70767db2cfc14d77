"""``cutline judge``: what is played, what is printed and written, and what is refused."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

import processes
from server_process import Server

WORDS = {"poor": -0.7, "plain": 0.0, "fine": 0.7}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for number in range(80):
        image = Image.new("RGB", (48, 32), (3 * number, 255 - 3 * number, 90))
        ImageDraw.Draw(image).rectangle((number % 40, 4, number % 40 + 6, 20), fill="white")
        image.save(folder / f"{number:02}.png")
    return folder


@pytest.fixture
def outputs(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Captions of each quality; those of the last five pictures are equal."""
    monkeypatch.chdir(tmp_path)
    for word in WORDS:
        write(tmp_path / f"{word}.jsonl", photos, lambda n, word=word: f"A {word} caption of picture {n}.")
    return tmp_path


def write(file: Path, photos: Path, text: Callable[[int], str | None], model: str = "captioner") -> None:
    rows = []
    for number, photo in enumerate(sorted(photos.iterdir())):
        caption = "The same." if number >= 75 else text(number)
        if caption is not None:
            row = {"image_id": photo.name, "image_path": str(photo), "caption": caption, "model": model}
            rows.append(json.dumps(row))
    file.write_text("\n".join(rows), encoding="utf-8")


@pytest.fixture
def judge(servers: Callable[..., Server]) -> Server:
    server = servers("judge.py", *(f"--strength={word}={value}" for word, value in WORDS.items()))
    defaults = {
        "place": 0.0,
        "nonsense": 0.0,
        "spread": 0.0,
        "latency": 0.0,
        "always": "",
        "model": "judge-1",
    }
    server.post("/configure", defaults)
    return server


def judged(judge: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    return processes.cutline_here(
        "judge", *arguments, "--judge", "judge-1", "--endpoint", judge.url, "--output-path", "out.json"
    )


def result(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "out.json").read_text("utf-8"))


def inside(interval: dict[str, float], truth: float) -> bool:
    return interval["low"] <= truth <= interval["high"]


def test_the_ranking_and_the_place_are_found(outputs: Path, judge: Server) -> None:
    judge.post("/configure", {"place": 0.8, "nonsense": 0.05, "spread": 0.3})
    ran = judged(judge, "poor.jsonl", "plain.jsonl", "best=fine.jsonl")
    assert ran.returncode == 1, ran.stderr  # games without verdict are failures
    found = result(outputs)
    assert [one["name"] for one in found["contestants"]] == ["best", "plain.jsonl", "poor.jsonl"]
    assert inside(found["place_advantage"], 0.8)
    games = found["games"]
    asked = [one for one in games if one["reason"] != "equal captions"]
    assert len(asked) == 75 * 3 * 2 == judge.get("/stats")["requests"]
    missed = [one for one in asked if one["verdict"] is None]
    assert found["games_without_verdict"] == {"schema-miss": len(missed)}
    assert 8 <= len(missed) <= 40, "about 5 %"
    assert all(one["problem"].startswith("schema-miss: ") for one in missed)
    assert sum(one["verdict"] == "tie" for one in asked) == 0, "nonsense is no tie"
    assert found["equal_captions"] == 5 * 3
    lines = ran.stdout.splitlines()
    assert lines[0].split()[:2] == ["contestant", "strength"]
    assert lines[1].startswith("best ")
    assert "best is clearly better than poor.jsonl and plain.jsonl" in ran.stdout
    assert "15 pairs of equal captions: ties without a question" in ran.stdout


def test_a_judge_that_always_names_the_first_gives_ties_and_a_warning(outputs: Path, judge: Server) -> None:
    judge.post("/configure", {"always": "first"})
    ran = judged(judge, "poor.jsonl", "fine.jsonl")
    assert ran.returncode == 0, ran.stderr
    found = result(outputs)
    assert [(one["wins"], one["ties"], one["losses"]) for one in found["contestants"]] == [(0, 80, 0)] * 2
    assert [abs(one["strength"]["value"]) < 1e-6 for one in found["contestants"]] == [True, True]
    assert found["agreement_of_orders"] == 0
    assert found["place_advantage"]["first_preferred"] > 0.95
    (warning,) = found["warnings"]
    assert "the same caption in both orders in 0% of 75 pairs" in warning
    assert f"warning: {warning}" in ran.stderr
    assert "not decided: poor.jsonl and fine.jsonl" in ran.stdout
