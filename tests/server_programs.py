"""Programs that behave as the servers that ``--start`` starts, on a PATH of the tests' own."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import psutil
from PIL import Image

SERVERS = Path(__file__).resolve().parent / "servers"
NAMES = ("vllm", "sglang", "llama-server", "ollama")


class Programs:
    """The programs in ``folder``; ``environment`` has them found, and what they are to do as variables."""

    def __init__(self, folder: Path, names: tuple[str, ...] = NAMES) -> None:
        (folder / "bin").mkdir(parents=True)
        (folder / "notes").mkdir()
        (folder / "logs").mkdir()
        self._folder = folder
        for name in names:
            program = folder / "bin" / name
            program.write_text(
                f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(SERVERS)!r})\n"
                f"import local_servers\nlocal_servers.main({name!r})\n"
            )
            program.chmod(0o755)

    def environment(self, **like: object) -> dict[str, str]:
        """``delay=2`` is the variable LIKE_DELAY; see ``local_servers``. The log goes to ``logs``."""
        told = {f"LIKE_{name.upper()}": str(value) for name, value in like.items()}
        return {
            "PATH": f"{self._folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "LIKE_NOTES": str(self._folder / "notes"),
            "LIKE_STORE": str(self._folder / "store"),
            "TMPDIR": str(self._folder / "logs"),
            **told,
        }

    @property
    def started(self) -> list[dict[str, Any]]:
        """What each that was started noted, in their order."""
        paths = sorted((self._folder / "notes").glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        return [json.loads(path.read_text()) for path in paths]

    @property
    def alive(self) -> list[int]:
        """Processes of servers that run, those that they started among them."""
        return [pid for one in self.started for pid in one["pids"] if is_alive(pid)]

    @property
    def logs(self) -> list[Path]:
        return sorted((self._folder / "logs").glob("cutline-*.log"))


def is_alive(pid: int) -> bool:
    """Whether it runs; one that has ended and waits to be noticed does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def make_pictures(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        Image.new("RGB", (32 + number, 32), (7 * number, 90, 160)).save(folder / f"{number:03}.png")
    return folder
