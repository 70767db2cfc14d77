"""Ids of processes: on which machine they mean something, and whether such a process is gone."""

from __future__ import annotations

import os
from pathlib import Path


def this_machine() -> str:
    """Identifies the machine, its boot and its container, where the system tells; else empty.

    Ids of processes mean nothing on another.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def is_gone(process: int) -> bool:
    """Whether this machine has no such process; another one may have got its id."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:  # another user's
        return False
    return False
