"""However a run ends, the server that it started is gone, with all its processes; and the other way round."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from processes import PATIENCE, cutline, environment, start_cutline, wait_until
from server_programs import Programs, is_alive, make_pictures

COUNT = 60


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    made = Programs(tmp_path / "programs")
    yield made
    for pid in made.alive:  # those of a test that failed
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return make_pictures(tmp_path / "pictures", COUNT)


def begin(programs: Programs, folder: Path, **like: object) -> subprocess.Popen[str]:
    """A run whose server has been started, but cannot be asked if it is given a ``delay``."""
    options = ("--model", "vllm:sees", "--start", "--no-enable-async")
    begun = start_cutline(
        "caption", folder / "pictures", "out.jsonl", *options, cwd=folder, env=programs.environment(**like)
    )
    wait_until(lambda: len(programs.started) == 1)
    assert len(programs.alive) == 3
    return begun


def answers(folder: Path) -> int:
    """How many there are so far."""
    path = folder / "out.jsonl.cutline" / "journal.jsonl"
    return path.read_text().count("vllm saw") if path.exists() else 0


def rows(folder: Path) -> list[str]:
    return [json.loads(line)["image_id"] for line in (folder / "out.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(("delay", "stubborn"), [(0, False), (600, True)])
def test_after_kill_9(programs: Programs, pictures: Path, tmp_path: Path, delay: int, stubborn: bool) -> None:
    """In the middle of a run as while it waits; the server that ignores SIGTERM is killed too."""
    like = {"stubborn": 1} if stubborn else {}
    running = begin(programs, tmp_path, delay=delay, slow=0.2, **like)
    if not delay:
        wait_until(lambda: answers(tmp_path))
    running.kill()
    running.wait()
    wait_until(lambda: programs.alive == [])
    again = cutline(
        "caption",
        pictures,
        "out.jsonl",
        "--model",
        "vllm:sees",
        "--start",
        cwd=tmp_path,
        env=programs.environment(),
    )
    assert again.returncode == 0, again.stderr
    assert rows(tmp_path) == [path.name for path in sorted(pictures.iterdir())]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("delay", [0, 600])
def test_after_a_signal(programs: Programs, pictures: Path, tmp_path: Path, number: int, delay: int) -> None:
    running = begin(programs, tmp_path, delay=delay, slow=0.2)
    if not delay:
        wait_until(lambda: answers(tmp_path))
    running.send_signal(number)
    _, said = running.communicate(timeout=PATIENCE)
    assert running.returncode == 128 + number
    assert programs.alive == [], "gone when the command returns"
    assert "Traceback" not in said
    assert programs.logs == []


def test_a_second_ctrl_c_waits_for_nobody(programs: Programs, pictures: Path, tmp_path: Path) -> None:
    running = begin(programs, tmp_path, delay=600, linger=3)
    running.send_signal(signal.SIGINT)
    for line in running.stderr:
        if "stopping" in line:
            break
    running.send_signal(signal.SIGINT)
    assert running.wait(PATIENCE) == 130
    wait_until(lambda: programs.alive == [])


def test_a_python_program_that_is_ended(programs: Programs, pictures: Path) -> None:
    code = (
        # What a shell runs in the background ignores SIGINT, and so would this.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        f"import cutline; cutline.caption({str(pictures)!r}, model='vllm:sees', start=True)"
    )
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
        before = len(programs.started)
        env = environment(**programs.environment(delay=600))
        with subprocess.Popen([sys.executable, "-c", code], env=env, stderr=subprocess.DEVNULL) as running:
            wait_until(lambda: len(programs.started) > before)  # noqa: B023 - used at once
            running.send_signal(number)
        wait_until(lambda: programs.alive == [])


def test_a_server_that_dies_in_the_middle_stops_the_run_which_goes_on(
    programs: Programs, pictures: Path, tmp_path: Path
) -> None:
    ask = ("caption", pictures, "out.jsonl", "--model", "vllm:sees", "--start", "--no-enable-async")
    ran = cutline(*ask, cwd=tmp_path, env=programs.environment(asked=20))
    (log,) = programs.logs
    assert ran.returncode == 3
    stopped = [line for line in ran.stderr.splitlines() if line.startswith("stopped: ")]
    assert len(stopped) == 1
    assert f"vllm ended with code 1 while in use; its log {log} has: " in stopped[0]
    assert "RuntimeError: the engine is gone: CUDA error" in stopped[0]
    assert programs.alive == []
    again = cutline(*ask, cwd=tmp_path, env=programs.environment())
    assert again.returncode == 0, again.stderr
    assert rows(tmp_path) == [path.name for path in sorted(pictures.iterdir())]
    report = json.loads((tmp_path / "out.jsonl.cutline" / "report.json").read_text())
    assert report["this_run"]["captions"] == COUNT - 20, "what was answered is not asked again"


def test_a_server_that_is_killed(programs: Programs, pictures: Path, tmp_path: Path) -> None:
    running = begin(programs, tmp_path, slow=0.2)
    wait_until(lambda: answers(tmp_path))
    os.kill(programs.started[0]["pids"][0], signal.SIGKILL)
    _, said = running.communicate(timeout=PATIENCE)
    assert running.returncode == 3
    assert "vllm was ended by SIGKILL, as systems do when memory is used up, while in use" in said
    assert programs.alive == []


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's promise to end a child with its parent")
def test_the_process_between_is_killed(programs: Programs, pictures: Path, tmp_path: Path) -> None:
    running = begin(programs, tmp_path, delay=600)
    server = programs.started[0]["pids"][0]
    between = psutil.Process(server).parent()
    assert between.ppid() == running.pid
    between.kill()
    wait_until(lambda: not is_alive(server))
    _, said = running.communicate(timeout=PATIENCE)
    assert running.returncode == 2
    assert "vllm was ended by SIGKILL" in said


def test_a_copy_of_the_program_keeps_nothing_alive(programs: Programs, pictures: Path) -> None:
    """As multiprocessing makes them: it has the pipe that tells of the program's end."""
    code = f"""
import os, sys, threading, time, cutline
ask = lambda: cutline.caption({str(pictures)!r}, model="vllm:sees", start=True)
threading.Thread(target=ask, daemon=True).start()
sys.stdin.readline()
if not (copy := os.fork()):
    time.sleep(600)
print(copy, flush=True)
time.sleep(600)
"""
    env = environment(**programs.environment(delay=600))
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", code], env=env, stdin=pipe, stdout=pipe, text=True
    ) as running:
        wait_until(lambda: programs.started)
        running.stdin.write("\n")
        running.stdin.flush()
        copy = int(running.stdout.readline())
        running.kill()
        try:
            wait_until(lambda: programs.alive == [])
            assert is_alive(copy)
        finally:
            os.kill(copy, signal.SIGKILL)
