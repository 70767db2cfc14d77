"""A studio in another process, for tests that start, call, kill and stop it."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from processes import free_port

PATIENCE = 60.0  # seconds, on a busy machine


@dataclasses.dataclass
class Studio:
    """``call`` sends a request to it and returns what it answers."""

    url: str
    folder: Path
    process: subprocess.Popen[bytes]

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        data = orjson.dumps(body) if body is not None and not isinstance(body, bytes) else body
        sent = {"Content-Type": "application/json", **(headers or {})}
        request = urllib.request.Request(f"{self.url}/studio/{path}", data, sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as response:
                code, content = response.status, response.read()
                kind = response.headers.get("Content-Type", "")
        except urllib.error.HTTPError as error:
            code, content, kind = error.code, error.read(), "application/json"
        assert code == status, content
        return orjson.loads(content) if "json" in kind else content

    def job(self, method: str, path: str, body: Any = None) -> Any:
        """The result of a job, once it has ended."""
        number = self.call(method, path, body, status=202)["job"]
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            state = next(job for job in self.call("GET", "jobs") if job["job"] == number)
            if state["is_over"]:
                return state["result"]
            time.sleep(0.05)
        raise AssertionError("the job does not end")

    def open(self, folder: Path) -> None:
        """Show another folder below its ``--root``, and wait until the captions are read."""
        self.call("POST", "open", {"folder": os.fspath(folder)})
        self.folder = folder
        end = time.monotonic() + PATIENCE
        while not self.call("GET", "state")["is_read"]:
            assert time.monotonic() < end, "the captions are not read"
            time.sleep(0.01)


def start_studio(folder: Path, *options: str, port: int = 0, wrapper: Sequence[str] = ()) -> Studio:
    """Start `cutline studio` and wait until it responds; ``wrapper``: a command that starts it."""
    if not port:
        port = free_port()
    command = [sys.executable, "-m", "cutline", "studio", os.fspath(folder), "--port", str(port), *options]
    command = [*wrapper, *command]
    environment = {**os.environ, "XDG_CACHE_HOME": os.fspath(folder.parent / "cache")}
    environment["XDG_STATE_HOME"] = os.fspath(folder.parent / "state")
    process = subprocess.Popen(command, env=environment)
    studio = Studio(f"http://127.0.0.1:{port}", folder, process)
    end = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None, f"the studio did not start, code {process.returncode}"
        try:
            with urllib.request.urlopen(studio.url, timeout=PATIENCE):
                return studio
        except OSError:
            assert time.monotonic() < end, "the studio does not respond"
            time.sleep(0.1)


def wait_until_open(studio: Studio) -> Studio:
    """Wait until the folder that a studio was started with is open; it responds before that."""
    end = time.monotonic() + PATIENCE
    while (state := studio.call("GET", "state"))["folder"] is None:
        assert not state.get("failed"), state
        assert time.monotonic() < end, "the folder is not opened"
        time.sleep(0.01)
    return studio


def stop_studio(studio: Studio) -> None:
    studio.process.terminate()
    studio.process.wait(PATIENCE)
