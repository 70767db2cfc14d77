"""A port that cannot be had is told in one line, before a model is loaded."""

from __future__ import annotations

import contextlib
import re
import socket

import httpx
import pytest
from serving import free_port

from processes import cutline, start_cutline


@pytest.mark.parametrize("more", [(), ("--workers", "2"), ("--reload",)])
def test_a_busy_port(tmp_path, more):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = cutline("serve", "--model", "fake", "--port", port, *more, cwd=tmp_path)
    assert ran.returncode == 2
    assert ran.stderr == f"cutline: port {port} is in use: choose another with --port\n"


def test_port_0_is_a_free_one(tmp_path):
    with socket.socket() as usual:
        with contextlib.suppress(OSError):  # whoever has it: it is not to be had
            usual.bind(("127.0.0.1", 8000))
        running = start_cutline("serve", "--model", "fake", "--port", 0, cwd=tmp_path)
        line = next(line for line in running.stderr if "running on" in line)
        port = int(re.search(r"http://127\.0\.0\.1:(\d+)", line)[1])
        assert port not in {0, 8000}
        assert httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False).status_code == 200


def test_no_workers_at_all_are_refused(tmp_path):
    ran = cutline("serve", "--model", "fake", "--workers", 0, "--port", free_port(), cwd=tmp_path)
    assert ran.returncode == 2
    assert ran.stderr.startswith("cutline: --workers or CUTLINE_WORKERS: ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--model", "opnai:gpt-4o"), "'opnai' is not a provider, did you mean openai?"),
        (("--model", "hf:./nowhere"), "./nowhere does not exist"),
        (("--chain", "nowhere.toml"), "the chain file nowhere.toml does not exist"),
        (("--model", "fake", "--host", "192.0.2.1", "--insecure"), "cannot listen on 192.0.2.1"),
    ],
    ids=["provider", "folder", "chain", "host"],
)
def test_a_mistake_leaves_no_store_behind(tmp_path, options, message):
    ran = cutline("serve", *options, "--port", free_port(), cwd=tmp_path)
    assert ran.returncode == 2
    assert ran.stderr.startswith(f"cutline: {message}")
    assert not list(tmp_path.iterdir())
