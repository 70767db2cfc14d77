"""`cutline serve` as its users run it: a process of its own on a free port of this machine."""

from __future__ import annotations

import io
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Self

import httpx
from PIL import Image

from processes import PATIENCE, command, environment, free_port


def png(number: int, size: tuple[int, int] = (24, 16)) -> bytes:
    """A small picture whose bytes no other number has."""
    out = io.BytesIO()
    Image.new("RGB", size, (number % 256, number // 256 % 256, number // 65_536 % 256)).save(out, "PNG")
    return out.getvalue()


class Service:
    """Runs until ``stop`` or ``kill``, or as a context; ``log`` is what it printed.

    ``client`` is an ``httpx.Client`` for it; ``start`` brings it up again, on the same port with the same
    options. Environment variables go in ``env``.
    """

    def __init__(self, *arguments: object, cwd: Path, env: dict[str, str] | None = None) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = command("serve", "--port", self.port, *arguments)
        self._cwd, self._env = cwd, environment(**(env or {}))
        self._log = cwd / f"serve-{self.port}.log"
        self.client = httpx.Client(base_url=self.url, timeout=PATIENCE, trust_env=False)
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.kill()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, cwd=self._cwd, env=self._env, stdout=log, stderr=log
            )
        end = time.monotonic() + PATIENCE
        while not self._is_ready():
            assert self.process.poll() is None, self.log
            assert time.monotonic() < end, self.log
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        try:
            # /health needs no key, and is answered only when the model is loaded.
            return httpx.get(f"{self.url}/health", timeout=5, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    @property
    def log(self) -> str:
        return self._log.read_text("utf-8", "replace")

    def kill(self) -> None:
        """As the power goes: nothing can be tidied up."""
        self.process.kill()
        self.process.wait(PATIENCE)

    def stop(self, seconds: float = PATIENCE) -> int:
        """As an operator stops it; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def task(self, task_id: str) -> dict[str, Any]:
        answer = self.client.get(f"/task-status/{task_id}")
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def ended(self, task_id: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """The task when it has ended."""
        end = time.monotonic() + seconds
        while (task := self.task(task_id))["status"] in {"queued", "in_progress"}:
            assert time.monotonic() < end, (task, self.log)
            time.sleep(0.1)
        return task
