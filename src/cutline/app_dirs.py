"""Where the current user's caches and state are kept, by the conventions of the platform."""

from __future__ import annotations

from pathlib import Path

import platformdirs


def cache_dir() -> Path:
    """For what can be computed again; ``~/.cache/cutline`` on Linux, or below ``XDG_CACHE_HOME``."""
    return platformdirs.user_cache_path("cutline", appauthor=False)


def state_dir() -> Path:
    """For what a run needs to resume; ``~/.local/state/cutline`` on Linux, or below ``XDG_STATE_HOME``."""
    return platformdirs.user_state_path("cutline", appauthor=False)
