"""Settings of Python's cyclic garbage collector."""

from __future__ import annotations

import gc

_THRESHOLD = 50_000  # new objects before a collection; Python's default is 700


def collect_rarely() -> None:
    """Collect less often, and never the objects that exist now. For programs, not for libraries.

    A request creates hundreds of objects that are freed without the collector, which took a tenth of the
    CPU time of a run and an eighth of the service's; see docs/design/speed.md.
    """
    gc.freeze()
    gc.set_threshold(_THRESHOLD, 20, 50)
