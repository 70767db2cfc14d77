"""The most memory that a process of the tests had, without that of whoever started it."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")
_TESTS = str(Path(__file__).parent)


def peak_mb() -> float:
    """Of this process, in units of 2**20 bytes; Linux's ru_maxrss would begin with its parent's."""
    if _STATUS.exists():
        (line,) = (line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)


def forget_peak() -> None:
    """Begin again from what is held now, where the system can: an earlier test may have held more."""
    if _STATUS.exists():
        Path("/proc/self/clear_refs").write_text("5")


def importable(environment: dict[str, str] | None = None) -> dict[str, str]:
    """An environment in which a script can ``from peak_memory import peak_mb``."""
    values = dict(os.environ if environment is None else environment)
    paths = [_TESTS, values.get("PYTHONPATH", "")]
    return {**values, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
