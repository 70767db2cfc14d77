"""A real nginx before services, with the configuration that the documentation shows."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import free_port

from processes import PATIENCE, wait_until

PAGE = Path(__file__).resolve().parents[2] / "docs" / "hosts.md"


def documented(port: int, services: list[int]) -> str:
    """The block of the page, with these ports of this machine instead of its hosts."""
    (block,) = re.findall(r"```nginx\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    block, count = re.subn(r"listen 8080;", f"listen 127.0.0.1:{port};", block)
    assert count == 1
    for name, service in zip(("host-a", "host-b"), services, strict=True):
        block, count = re.subn(rf"\b{name}:8000\b", f"127.0.0.1:{service}", block)
        assert count == 1
    return block


@contextlib.contextmanager
def running(folder: Path, services: list[int]) -> Iterator[str]:
    """The URL of a proxy before services on these ports; skips the test where there is no nginx."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.skip("nginx is not installed: scripts/system_packages.sh does it where root and apt are")
    port = free_port()
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {folder / kind};\n" for kind in kinds)
    config = folder / "nginx.conf"
    config.write_text(
        ("user root;\n" if os.geteuid() == 0 else "")
        + f"daemon off;\nworker_processes 1;\npid {folder / 'nginx.pid'};\nerror_log stderr;\n"
        + "events { worker_connections 512; }\n"
        + f"http {{\naccess_log off;\n{paths}{documented(port, services)}}}\n"
    )
    log = folder / "nginx.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [program, "-p", folder, "-e", "stderr", "-c", config], stdout=stream, stderr=stream
        )
    try:
        wait_until(lambda: _listens(port) or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _listens(port: int) -> bool:
    import socket

    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0
