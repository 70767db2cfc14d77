"""The program as a user runs it, and what it wrote."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Protocol

COLOURS = ("crimson", "seagreen", "royalblue", "gold", "orchid")


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without keys, and with a terminal of a hundred columns."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith(("_KEY", "_TOKEN"))}
    return {**kept, "COLUMNS": "100", **more}


@dataclasses.dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


class Run(Protocol):
    def __call__(self, *arguments: str, **environment: str) -> Ran: ...


def run(*arguments: str, cwd: Path, **environment: str) -> Ran:
    done = subprocess.run(
        [sys.executable, "-m", "cutline", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=clean_environment(**environment),
        timeout=240,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON or JSON lines output."""
    text = path.read_text("utf-8")
    return json.loads(text) if path.suffix == ".json" else [json.loads(line) for line in text.splitlines()]
