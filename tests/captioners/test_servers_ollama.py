"""Models through Ollama: its port, its models pulled on request, and itself started."""

from __future__ import annotations

import json
import os
import shlex
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from processes import PATIENCE, cutline, cutline_here, start_cutline, wait_until
from server_process import Server
from server_programs import Programs, make_pictures


@pytest.fixture
def ollama(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """An Ollama that runs, without a model."""
    for name in list(os.environ):
        if name.endswith("_KEY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("LIKE_STORE", str(tmp_path / "store"))
    with Server("local_servers.py", "ollama") as server:
        yield server


@pytest.fixture
def port(ollama: Server) -> str:
    return str(urlsplit(ollama.root).port)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return make_pictures(tmp_path / "pictures", 3)


@pytest.fixture
def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def captions(path: Path) -> list[str]:
    return [json.loads(line)["caption"] for line in path.read_text().splitlines()]


def test_the_model_is_pulled_once_and_shown(
    ollama: Server, port: str, pictures: Path, tmp_path: Path
) -> None:
    ask = ["--model", "ollama:llava:7b", "--port", port, "--pull"]
    ran = cutline_here("caption", pictures, tmp_path / "out.jsonl", *ask)
    assert ran.returncode == 0, ran.stderr
    assert "pulling llava:7b: pulling manifest" in ran.stderr
    assert len(captions(tmp_path / "out.jsonl")) == 3
    preview = cutline_here("caption", pictures, *ask, "--preview", "1")
    assert "pulling" not in preview.stderr
    assert ollama.get("/last") == {"pulls": 1}


def test_every_percent_of_all_layers_is_told(ollama: Server, port: str, pictures: Path) -> None:
    ran = cutline_here(
        "caption", pictures, "--model", "ollama:llava", "--port", port, "--pull", "--preview", "1"
    )
    assert ran.returncode == 0, ran.stderr
    told = [
        line.removeprefix("pulling llava: ") for line in ran.stderr.splitlines() if line.startswith("pulling")
    ]
    assert told[1:7] == [
        "4.0 GB",
        "1.0 GB of 4.0 GB, 25 %",
        "2.0 GB of 4.0 GB, 50 %",
        "3.0 GB of 4.0 GB, 75 %",
        "4.0 GB of 4.0 GB, 100 %",
        "4.0 GB of 4.6 GB, 86 %",
    ]
    assert told[-1] == "success"
    again = cutline_here(
        "caption", pictures, "--model", "ollama:llava", "--port", port, "--pull", "--preview", "1"
    )
    assert "pulling" not in again.stderr, "llava is llava:latest"


def test_a_model_that_is_not_there(ollama: Server, port: str, pictures: Path, tmp_path: Path) -> None:
    ran = cutline_here(
        "caption", pictures, tmp_path / "out.jsonl", "--model", "ollama:llava:7b", "--port", port
    )
    assert ran.returncode == 3
    (stopped,) = [line for line in ran.stderr.splitlines() if line.startswith("stopped")]
    assert "Ollama has what was pulled: ollama pull llava:7b, or add --pull" in stopped


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (
            "missing:7b",
            "Ollama cannot pull missing:7b: pull model manifest: file does not exist; is the name right?",
        ),
        (
            "broken:7b",
            "pulling broken:7b was interrupted: ",
        ),
    ],
)
def test_a_model_that_cannot_be_had(
    ollama: Server, port: str, pictures: Path, tmp_path: Path, model: str, said: str
) -> None:
    out = tmp_path / "out.jsonl"
    ran = cutline_here("caption", pictures, out, "--model", f"ollama:{model}", "--port", port, "--pull")
    assert ran.returncode == 2
    assert said in ran.stderr.splitlines()[-1]
    assert not out.exists()


def test_what_no_ollama_sends(ollama: Server, port: str, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    ran = cutline_here("caption", pictures, out, "--model", "ollama:hostile", "--port", port, "--pull")
    assert ran.returncode == 2
    assert "a line of more than a megabyte" in ran.stderr.splitlines()[-1]
    assert "\x1b" not in ran.stderr


def test_nobody_there(pictures: Path, tmp_path: Path, free_port: str) -> None:
    ask = ["--model", "ollama:llava:7b", "--port", free_port, "--pull"]
    ran = cutline_here("caption", pictures, tmp_path / "out.jsonl", *ask)
    assert ran.returncode == 2
    assert f"cannot connect to http://localhost:{free_port} (Connection refused)" in ran.stderr
    assert "`ollama serve` starts it, and so does --start" in ran.stderr


def test_one_that_runs_is_asked_and_left_running(
    ollama: Server, port: str, pictures: Path, tmp_path: Path
) -> None:
    programs = Programs(tmp_path / "programs")
    ask = ["--model", "ollama:llava:7b", "--port", port, "--pull", "--start"]
    ran = cutline("caption", pictures, "out.jsonl", *ask, cwd=tmp_path, env=programs.environment())
    assert ran.returncode == 0, ran.stderr
    assert f"ollama is already running at http://127.0.0.1:{port}: it is used, and left running" in ran.stderr
    assert programs.started == []
    assert ollama.get("/api/version")


def test_the_advice_of_the_embedded_captioner_works_as_it_is_printed(
    ollama: Server, port: str, pictures: Path, tmp_path: Path
) -> None:
    programs = Programs(tmp_path / "programs")
    env = programs.environment() | {"OLLAMA_HOST": f"127.0.0.1:{port}"}
    ran = cutline("caption", pictures, cwd=tmp_path, env=env)
    (advice,) = [line for line in ran.stderr.splitlines() if line.startswith("try: ")]
    program, *words = shlex.split(advice.split("`")[1])
    assert (Path(program).name, *words[-2:]) == ("cutline", "--preview", "3")
    tried = cutline(*words, cwd=tmp_path, env=env)
    assert tried.returncode == 0, tried.stderr
    assert "with `--on-change redo-all` in place of `--preview 3`" in advice
    ran = cutline(*words[:-2], "--on-change", "redo-all", cwd=tmp_path, env=env)
    assert ran.returncode == 0, ran.stderr
    assert "embedded captioner" not in ran.stderr
    assert len(captions(tmp_path / "captions.jsonl")) == 3


def test_it_is_started_for_all_its_models_and_gone_afterwards(
    pictures: Path, tmp_path: Path, free_port: str
) -> None:
    programs = Programs(tmp_path / "programs")
    steps = ["--step", "one=ollama:llava:7b", "--step", "two=ollama:other", "--port", free_port]
    ran = cutline(
        *("caption", pictures, "out.jsonl", *steps, "--start", "--pull"),
        cwd=tmp_path,
        env=programs.environment(delay=0.5),
    )
    assert ran.returncode == 0, ran.stderr
    (noted,) = programs.started
    assert noted["words"] == ["serve"]
    assert noted["environment"] == {"OLLAMA_HOST": f"127.0.0.1:{free_port}"}
    assert len(captions(tmp_path / "out.jsonl")) == 3
    assert programs.alive == []


def test_ctrl_c_during_a_download(ollama: Server, port: str, pictures: Path, tmp_path: Path) -> None:
    ask = ["--model", "ollama:endless:7b", "--port", port, "--pull"]
    running = start_cutline("caption", pictures, "out.jsonl", *ask, cwd=tmp_path)
    wait_until(lambda: ollama.get("/last")["pulls"] == 1)
    running.terminate()
    _, said = running.communicate(timeout=PATIENCE)
    assert running.returncode == 143
    assert "Traceback" not in said
