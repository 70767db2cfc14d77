"""An endpoint that is away for a while costs the run that while, and no picture."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time

import pytest
from PIL import Image

from processes import PATIENCE, start_cutline, wait_until
from server_process import FOLDER


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextlib.contextmanager
def endpoint(port):
    command = [sys.executable, FOLDER / "endpoint.py", "--latency", "0.05", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().startswith("ready")
    try:
        yield
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("times", [1, 2])
def test_an_endpoint_that_dies_and_returns(times, port, tmp_path):
    folder, output = tmp_path / "photos", tmp_path / "o.jsonl"
    folder.mkdir()
    for number in range(300):
        Image.new("RGB", (30, 20), (number % 256, 90, 120)).save(folder / f"{number:03}.png")
    options = ("--max-retries", "1", "--retry-delay", "0.1", "--stop-after-failures", "5")
    with endpoint(port):
        run = start_cutline(
            *("caption", folder, output, "--endpoint", f"http://127.0.0.1:{port}/v1", "--model", "m"),
            *("--max-concurrent-requests", "4", *options),
        )
        wait_until(lambda: run.poll() is not None or len(rows_so_far(output)) > 20)
    for _ in range(times - 1):
        time.sleep(2)
        with endpoint(port):
            before = len(rows_so_far(output))
            wait_until(lambda: run.poll() is not None or len(rows_so_far(output)) > before)  # noqa: B023
    time.sleep(3)
    assert run.poll() is None, run.communicate()[1]
    with endpoint(port):
        _, err = run.communicate(timeout=PATIENCE)
    assert run.returncode == 0, err
    assert len(rows_so_far(output)) == 300
    assert "slowed by" in err
    assert "unreachable" in err


FORMS = {
    "web pages of a proxy": ({"502-page": 1}, {"max_retries": 1}, "slowed by 502"),
    "pages that claim to be answers": ({"200-page": 1}, {"max_retries": 1}, "slowed by malformed"),
    "requests that hang": (
        {"hang": 1},
        {"max_retries": 1, "timeout": 1},
        "slowed by timeout",
    ),
    "half of the backends": ({"520-page": 0.5}, {"max_retries": 1}, "slowed by 520"),
    "most of the backends": ({"502": 0.8}, {"max_retries": 1}, "slowed by 502"),
    "a few of the backends": ({"504": 0.2}, {"max_retries": 1}, "slowed by 504"),
}


@pytest.mark.parametrize("form", FORMS)
def test_an_endpoint_that_is_away_in_another_form(form, new_endpoint, pictures, tmp_path):
    """Half of the backends or all: no picture fails for it."""
    fault, options, words = FORMS[form]
    away = new_endpoint(slots=8, latency=0.1)
    output = tmp_path / "captions.jsonl"
    arguments = away.arguments(max_concurrent_requests=8, retry_delay=0.1, **options)
    run = start_cutline("caption", pictures(160), output, *arguments)
    wait_until(lambda: run.poll() is not None or away.stats()["pictures"] > 20)
    away.configure(fault=fault)
    time.sleep(6)
    away.configure(fault={})
    _, err = run.communicate(timeout=PATIENCE)
    assert run.returncode == 0, err
    assert len(rows_so_far(output)) == 160
    assert words in err


@pytest.mark.parametrize("fault", ["502-page", "503", "reset"])
def test_an_endpoint_that_still_loads_its_model(fault, new_endpoint, pictures, tmp_path):
    """Before anything was answered too, a proxy's errors and broken connections are one wait."""
    loading = new_endpoint(latency=0.05, fault={fault: 1})
    output = tmp_path / "captions.jsonl"
    arguments = loading.arguments(max_concurrent_requests=8, retry_delay=0.1, max_retries=1)
    run = start_cutline("caption", pictures(40), output, *arguments)
    wait_until(lambda: run.poll() is not None or loading.stats()["requests"] >= 24)
    loading.configure(fault={})
    _, err = run.communicate(timeout=PATIENCE)
    assert run.returncode == 0, err
    assert len(rows_so_far(output)) == 40


@pytest.mark.parametrize("action", [("--preview", "8"), ("--estimate",)])
def test_a_preview_and_an_estimate_wait_for_no_endpoint_that_never_answered(
    action, new_endpoint, pictures, tmp_path
):
    """They show no progress, so that a wait of minutes would look like a hang."""
    away = new_endpoint(latency=0.05, fault={"502-page": 1})
    arguments = away.arguments(max_concurrent_requests=8, retry_delay=0.1, max_retries=1)
    run = start_cutline("caption", pictures(8), tmp_path / "captions.jsonl", *arguments, *action)
    _, err = run.communicate(timeout=PATIENCE)
    assert run.returncode in {1, 2}, err
    assert away.stats()["requests"] == 16


def rows_so_far(output):
    return output.read_text().splitlines() if output.exists() else []
