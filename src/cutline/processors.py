"""How many processors this process may use."""

from __future__ import annotations

import contextlib
import functools
import math
import os
from pathlib import Path
from typing import Final

_QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")  # of a container, by cgroup v2: microseconds of each period


@functools.cache
def usable_processors() -> int:
    """Those that its affinity allows, or fewer where its container has a quota; at least 1.

    ``os.cpu_count()`` is that of the machine: 64 for a container that may use 2.
    """
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        allowed = os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):  # no container, or "max" for no quota
        quota, period = map(int, _QUOTA.read_text("ascii").split())
        allowed = min(allowed, math.ceil(quota / period))
    return max(1, allowed)
