"""How often Python looks for objects that only refer to each other."""

from __future__ import annotations

import gc

_OBJECTS = 50_000  # new ones that are left before they are looked through; Python's own number is 700


def collect_rarely() -> None:
    """Look for them less often, and never among those that are there now: for programs, not for libraries.

    A request makes hundreds of objects that end by themselves. Looking through them took a tenth of the
    processor's time of a run, and an eighth of the service's; see docs/design/speed.md.
    """
    gc.freeze()
    gc.set_threshold(_OBJECTS, 20, 50)
