"""A port that cannot be had is told in one line, before a model is loaded."""

from __future__ import annotations

import socket

import pytest
from serving import free_port

from processes import cutline


@pytest.mark.parametrize("more", [(), ("--workers", "2"), ("--reload",)])
def test_a_busy_port(tmp_path, more):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = cutline("serve", "--model", "fake", "--port", port, *more, cwd=tmp_path)
    assert ran.returncode == 2
    assert ran.stderr == f"cutline: port {port} is in use: choose another with --port\n"


def test_an_address_of_another_machine(tmp_path):
    options = ("--model", "fake", "--host", "192.0.2.1", "--insecure", "--port", free_port())
    ran = cutline("serve", *options, cwd=tmp_path)
    assert ran.returncode == 2
    assert ran.stderr.startswith("cutline: cannot listen on 192.0.2.1 port ")
    assert ran.stderr.count("\n") == 1
