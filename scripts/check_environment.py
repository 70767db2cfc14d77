"""Compare the installed packages with ci/requirements.txt; exit 1 when they differ."""

from __future__ import annotations

import importlib.metadata
import re
import sys
from pathlib import Path

CI = Path(__file__).resolve().parents[1] / "ci"
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)", re.MULTILINE)
OUTSIDE = {"cutline", "pip"}
"""The project itself, and the installer that each Python brings."""
GPU_BUILD = re.compile(r"nvidia-|cuda-|triton$")
"""What torch's build for GPUs brings along; ci/excluded.txt keeps it out of the lock."""


def canonical(name: str) -> str:
    """The form of PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def lock() -> str:
    """The text of the files that pin every package."""
    return "".join((CI / name).read_text() for name in ("requirements.txt", "torch.txt"))


def pinned(text: str) -> dict[str, str]:
    """Versions by package name, as ``text`` locks them."""
    return {canonical(name): version for name, version in PINNED.findall(text)}


def installed() -> dict[str, str]:
    """Versions by package name, without the local part that a build of torch carries."""
    return {
        canonical(package.name): package.version.split("+")[0]
        for package in importlib.metadata.distributions()
    }


def differences(want: dict[str, str], have: dict[str, str]) -> list[str]:
    """One line for each package that ``have`` does not have as ``want`` locks it."""
    lines = []
    for name in sorted((want.keys() | have.keys()) - OUTSIDE):
        if name not in want and not GPU_BUILD.match(name):
            lines.append(f"{name} {have[name]} is installed, but not locked")
        elif name not in have:
            lines.append(f"{name} {want[name]} is locked, but not installed")
        elif name in want and want[name] != have[name]:
            lines.append(f"{name} {have[name]} is installed, but {want[name]} is locked")
    return lines


def main() -> int:
    """Print the differences and the cure."""
    want = pinned(lock())
    lines = differences(want, installed())
    for line in lines:
        print(line)
    if lines:
        print("Remove .venv and run make again; after a change of pyproject.toml run make lock first.")
        return 1
    print(f"{len(want)} packages as locked")
    return 0


if __name__ == "__main__":
    sys.exit(main())
