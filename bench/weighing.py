"""Programs run one at a time and weighed, and the servers they talk to, each in a process of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ENDPOINT = BENCH.parent / "tests" / "servers" / "endpoint.py"
LONGEST = 1200.0  # seconds


class RunFailedError(Exception):
    """A program that was to be measured did not do its work."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """What one run cost: seconds by the clock and of the processor, megabytes at the most."""

    wall: float
    cpu: float
    peak: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What the endpoint saw: the share of its slots' time that was used, and replies per second."""

    share: float
    rate: float


def compile_modules(checkout: Path) -> None:
    """Write the bytecode of cutline's modules, as pip does; the environment may forbid Python to."""
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(checkout / "src")], check=True)


def weigh(command: list[str], log: Path) -> Weighed:
    """Run to the end.

    This process must stay small: a child's peak begins with the memory of the parent it came from.
    """
    start = time.perf_counter()
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, cwd=log.parent)
        watchdog = threading.Timer(LONGEST, process.kill)
        watchdog.start()
        _, status, usage = os.wait4(process.pid, 0)
        watchdog.cancel()
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        tail = log.read_text(errors="replace")[-2000:]
        raise RunFailedError(f"{' '.join(command)} ended with {process.returncode}:\n{tail}")
    scale = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return Weighed(wall=wall, cpu=usage.ru_utime + usage.ru_stime, peak=usage.ru_maxrss * scale / 1e6)


@contextlib.contextmanager
def server(*command: str) -> Iterator[str]:
    """A program that says ``ready PORT``; yields its address and ends it at last."""
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        word, _, port = process.stdout.readline().strip().partition(" ")
        if word != "ready":
            raise RunFailedError(f"{command[0]} did not get ready")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def endpoint(*more: str, slots: int = 64, latency: float = 0.2) -> contextlib.AbstractContextManager[str]:
    return server(str(ENDPOINT), "--slots", str(slots), "--latency", str(latency), "--fast", *more)


def stats(address: str) -> dict[str, float]:
    with urllib.request.urlopen(f"{address}/stats") as response:
        return json.load(response)


def served(address: str) -> Served:
    seen = stats(address)
    return Served(share=seen["share"], rate=seen["answered"] / seen["seconds"])
