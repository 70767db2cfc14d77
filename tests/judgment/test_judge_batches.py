"""``cutline judge --batch``: games through a service's batch API."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import processes
from server_process import Server


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for word in ("poor", "fine", "plain"):
        rows = []
        for number in range(5):
            photo = tmp_path / f"{number}.png"
            Image.new("RGB", (32, 24), (40 * number, 90, 160)).save(photo)
            text = f"A {word} caption of {number}."
            rows.append(json.dumps({"image_id": photo.name, "image_path": str(photo), "caption": text}))
        (tmp_path / f"{word}.jsonl").write_text("\n".join(rows))
    return tmp_path


def test_games_are_sent_as_a_batch_and_collected_by_the_same_command(
    folder: Path, servers: Callable[..., Server]
) -> None:
    service = servers("batch_service.py")
    service.post("/reset", {})
    service.post("/configure", {"content": '{"reason": "as ever", "verdict": "first"}'})
    command = ("judge", "poor.jsonl", "fine.jsonl", "--judge", "test", "--endpoint", service.url, "--batch")
    command = (*command, "--output-path", "out.json")
    for _ in range(2):
        ran = processes.cutline_here(*command)
        assert ran.returncode == 3, ran.stderr
        assert "10 requests are in batches at the service" in ran.stderr
        assert "run the same command again to collect the replies" in ran.stderr
        assert not (folder / "out.json").exists()
    service.post("/advance", {"to": "in_progress", "share": 1.0, "batches": []})
    service.post("/advance", {"to": "completed", "share": 1.0, "batches": []})
    ran = processes.cutline_here(*command)
    assert ran.returncode == 0, ran.stderr
    found = json.loads((folder / "out.json").read_text("utf-8"))
    assert len(found["games"]) == 10
    assert found["agreement_of_orders"] == 0
    again = processes.cutline_here(*command)
    assert again.returncode == 0, again.stderr
    assert again.stdout == ran.stdout
    # Another contestant: only its games are sent.
    more = processes.cutline_here(*command[:3], "plain.jsonl", *command[3:])
    assert more.returncode == 3
    assert "20 requests are in batches at the service" in more.stderr


def test_a_batch_needs_a_judge(folder: Path) -> None:
    ran = processes.cutline_here("judge", "poor.jsonl", "fine.jsonl", "--people", "p.html", "--batch")
    assert ran.returncode == 2
    assert "--batch is for a model that judges: add --judge MODEL" in ran.stderr
