"""Captions from a real OpenAI-compatible server that others wrote: ``transformers serve``.

It runs a tiny vision-language model with random weights.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from program import Run, rows

from processes import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(sys.executable).parent
MAKER = ROOT / "tests" / "servers" / "tiny_model.py"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for library in ("torch", "transformers", "uvicorn"):
        pytest.importorskip(library, reason="transformers with its server is not installed")
    folder = tmp_path_factory.mktemp("model") / "tiny"
    subprocess.run([sys.executable, MAKER, folder], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def url(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [PROGRAMS / "transformers", "serve", model, "--device", "cpu", "--dtype", "float32"]
    log = tmp_path_factory.mktemp("serve") / "log.txt"
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(model)}
    with log.open("wb") as file:
        server = subprocess.Popen([*command, "--port", str(port)], env=offline, stdout=file, stderr=file)
    try:
        wait_for(f"http://127.0.0.1:{port}/health", server, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait(PATIENCE)


def wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except (urllib.error.URLError, ConnectionError):
            assert server.poll() is None, log.read_text()
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"the server is not up after a minute: {log.read_text()}")


def test_captions_of_real_photos(
    cutline: Run, url: str, model: Path, shared_data: Path, tmp_path: Path
) -> None:
    photos = shared_data / "photos-skimage"
    ask = ["--model", str(model), "--endpoint", url, "--max-tokens", "60", "--temperature", "0"]
    ran = cutline("caption", str(photos), "out.jsonl", *ask, "--prompt", "What is on it?")
    assert ran.code == 0, ran.err
    written = rows(tmp_path / "out.jsonl")
    assert len(written) == len([path for path in photos.iterdir() if path.suffix in {".png", ".jpg"}])
    for row in written:
        assert len(row["caption"].split()) > 3
        assert row["finish_reason"] == "stop"
        assert row["completion_tokens"] > 3
        assert row["model"].startswith(str(model))
    assert len({row["caption"] for row in written}) > 2, "the model looks at the pictures"
    again = cutline("caption", str(photos), "again.jsonl", *ask, "--prompt", "What is on it?")
    assert again.code == 0, again.err
    captions = [[row["caption"] for row in rows(tmp_path / name)] for name in ("out.jsonl", "again.jsonl")]
    assert captions[0] == captions[1]


def test_too_few_tokens(cutline: Run, url: str, model: Path, pictures: Path, tmp_path: Path) -> None:
    ask = ["--model", str(model), "--endpoint", url, "--max-tokens", "3"]
    ran = cutline("caption", str(pictures), "out.jsonl", *ask, "--image-limit", "1")
    assert ran.code == 1
    assert [row["kind"] for row in rows(tmp_path / "out.jsonl.failures.jsonl")] == ["truncated"]


def test_check(cutline: Run, url: str, model: Path) -> None:
    fine = cutline("models", "check", str(model), "--endpoint", url)
    assert fine.code == 0, fine
    wrong = cutline("models", "check", "org/another-model", "--endpoint", url)
    assert (wrong.code, wrong.out.count("\n")) == (1, 1)
    assert "org/another-model" in wrong.out
