"""Settings of Python's cyclic garbage collector."""

from __future__ import annotations

import gc
from typing import Any

_FIRST = 150_000  # new objects before the first collection: those of imports, which stay
_THRESHOLD = 50_000  # before each later one; Python's default is 700


def collect_rarely() -> None:
    """Collect less often, and never the objects that exist now. For programs, not for libraries.

    A request creates hundreds of objects that are freed without the collector, which took a tenth of the
    CPU time of a run and an eighth of the service's; see docs/design/speed.md.
    """
    gc.freeze()
    gc.set_threshold(_FIRST, 20, 50)
    if _after_first not in gc.callbacks:
        gc.callbacks.append(_after_first)


def stop_collecting() -> None:
    """Leave what is in memory to the end of the process, which is near. For programs, as ``collect_rarely``.

    Otherwise the interpreter looks for cycles among all modules while it exits, 80 ms of CPU time.
    """
    gc.disable()
    gc.freeze()


def _after_first(phase: str, _: dict[str, Any]) -> None:
    if phase == "stop":
        gc.callbacks.remove(_after_first)
        gc.freeze()
        gc.set_threshold(_THRESHOLD, 20, 50)
