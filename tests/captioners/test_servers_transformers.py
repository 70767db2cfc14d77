"""The real server of transformers, started for a run, with a tiny model of random weights."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from processes import cutline, start_cutline, wait_until
from server_programs import is_alive

MAKER = Path(__file__).resolve().parents[1] / "servers" / "tiny_model.py"
COUNT = 12


@pytest.fixture
def model(tmp_path: Path) -> Path:
    for library in ("torch", "transformers", "uvicorn"):
        pytest.importorskip(library, reason="transformers with its server is not installed")
    folder = tmp_path / "tiny"
    subprocess.run([sys.executable, MAKER, folder], check=True, capture_output=True)
    return folder


def test_real_photos_and_kill_9(model: Path, shared_data: Path, tmp_path: Path) -> None:
    """Killed in the middle nothing is left of it; the same command captions the rest."""
    photos = shared_data / "photos-coco" / "images"
    command = ["caption", photos, "out.jsonl", "--model", f"transformers-serve:{model}", "--start"]
    command += ["--server-args", "--device cpu --dtype float32", "--temperature", "0", "--max-tokens", "60"]
    command += ["--image-limit", COUNT, "--no-enable-async"]
    journal = tmp_path / "out.jsonl.cutline" / "journal.jsonl"
    running = start_cutline(*command, cwd=tmp_path, env={"TMPDIR": str(tmp_path)})
    wait_until(lambda: journal.exists() and '"type":"caption"' in journal.read_text())
    begun = [process.pid for process in psutil.Process(running.pid).children(recursive=True)]
    assert len(begun) >= 2
    running.kill()
    running.wait()
    wait_until(lambda: not any(is_alive(pid) for pid in begun))
    ran = cutline(*command, cwd=tmp_path, env={"TMPDIR": str(tmp_path)}, timeout=120)
    assert ran.returncode == 0, ran.stderr
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["image_id"] for row in rows] == sorted(path.name for path in photos.glob("*.jpg"))[:COUNT]
    assert all(len(row["caption"].split()) > 3 for row in rows)
    assert len({row["caption"] for row in rows}) > 2, "the model looks at the pictures"
    assert "starting transformers-serve: " in ran.stderr
    ours = [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if str(model) in (process.info["cmdline"] or [])
    ]
    assert ours == [], "the server that the second run started is gone too"
