"""Servers for tests, each in a process of its own on a free port of this machine."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any, Self

FOLDER = Path(__file__).parent / "servers"


class Server:
    """A script of the folder ``servers`` that prints ``ready PORT``; runs until ``stop``, or as a context."""

    def __init__(self, script: str, *arguments: str) -> None:
        command = [sys.executable, str(FOLDER / script), *arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith("ready "):
            self._process.stdout.close()
            self._process.wait()
            raise AssertionError(f"the server did not start: {line!r}")
        self.root = f"http://127.0.0.1:{int(line.split()[1])}"
        self.url = f"{self.root}/v1"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.root + path, timeout=240) as response:
            return json.load(response)

    def post(self, path: str, data: object) -> None:
        body = json.dumps(data).encode()
        with urllib.request.urlopen(self.root + path, body, timeout=240) as response:
            response.read()

    @property
    def last(self) -> dict[str, Any]:
        """The last request's parsed body."""
        body: dict[str, Any] = self.get("/last")["body"]
        return body

    @property
    def last_headers(self) -> dict[str, str]:
        headers: dict[str, str] = self.get("/last")["headers"]
        return headers
