"""A service that starts its model's server: told when that fails, and the server started again when it ends."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from serving import Service, png

from processes import PATIENCE, cutline, start_cutline, wait_until
from server_programs import Programs

ASK = ("--model", "vllm:sees", "--start")


def test_the_server_is_started_again_when_it_ends_and_is_gone_afterwards(tmp_path: Path) -> None:
    programs = Programs(tmp_path / "programs")

    def asked() -> int:
        return int(service.client.post("/caption", files={"image": png(1)}).status_code)

    with Service(*ASK, cwd=tmp_path, env=programs.environment()) as service:
        assert asked() == 200
        (first,) = programs.started
        os.kill(first["pids"][0], signal.SIGKILL)
        assert asked() == 503
        wait_until(lambda: service.client.get("/ready").status_code == 200 and len(programs.started) == 2)
        assert asked() == 200
        assert "was ended by SIGKILL" in service.log
        service.process.terminate()
        service.process.wait(PATIENCE)
    assert programs.alive == []
    assert programs.logs == []


def test_a_server_that_cannot_be_started_is_told_in_one_line(tmp_path: Path) -> None:
    programs = Programs(tmp_path / "programs")
    ran = cutline(
        "serve", "--port", "0", *ASK, cwd=tmp_path, env=programs.environment(dies="ValueError: no GPU")
    )
    assert ran.returncode != 0
    (line,) = [line for line in ran.stderr.splitlines() if "cannot start" in line]
    assert "vllm ended with code 1 before it was ready" in line
    assert line.endswith("ValueError: no GPU")
    assert "Traceback" not in ran.stderr
    assert programs.alive == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_while_the_server_loads(tmp_path: Path, number: int) -> None:
    programs = Programs(tmp_path / "programs")
    running = start_cutline("serve", "--port", "0", *ASK, cwd=tmp_path, env=programs.environment(delay=600))
    wait_until(lambda: programs.started)
    running.send_signal(number)
    _, said = running.communicate(timeout=PATIENCE)
    assert running.returncode != 0
    assert "stopped before the model was ready" in said
    assert "Traceback" not in said
    assert programs.alive == []


def test_one_process_starts_one_server(tmp_path: Path) -> None:
    ran = cutline("serve", *ASK, "--workers", "2", cwd=tmp_path, env=Programs(tmp_path / "p").environment())
    assert ran.returncode == 2
    assert "--start starts a server for one process: remove --workers" in ran.stderr
