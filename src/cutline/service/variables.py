"""Variables with the service's prefix: misspelt ones are refused, unknown and ignored ones are named."""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection
from pathlib import Path
from typing import Final

from cutline.errors import ConfigError
from cutline.service.env_files import FOUND, HARMLESS, PREFIX, variables

_MIN_SIMILARITY: Final = 0.8  # difflib's ratio: one letter of four differs
_OPTION_NAMES: Final = {"API_KEY_FILE": "SERVICE_KEY_FILE"}  # an option's name, which no variable has
_OTHER_VARIABLES: Final = frozenset(
    {
        "CUTLINE_API_KEY",  # of an endpoint
        "CUTLINE_ML_ROOT",  # of the enrichment job
        "CUTLINE_PLUGIN_SECONDS",
        "CUTLINE_PUBLISHED_PORT",  # of the compose files
        "CUTLINE_VARIANT",
        "CUTLINE_SERVICE_SETTINGS",  # what one process of the service leaves for another
        "CUTLINE_BROWSER",  # of the tests
        "CUTLINE_SNAPSHOTS",
        "CUTLINE_SOAK",
        "CUTLINE_SOAK_SECONDS",
    }
)


def check_variables(settings: Collection[str], file: Path | None) -> list[str]:
    """Variables with our prefix that are not among the ``settings``, in the environment and the file.

    A misspelt key must not leave a service open.

    Raises:
        ConfigError: a variable resembles a setting.
    """
    known = {name.upper() for name in settings}
    found = []
    shown = file or Path(FOUND)
    for origin, names in (("", os.environ), (f" in {shown.name}", variables(shown))):
        for variable in sorted(map(str.upper, names)):
            name = variable.removeprefix(PREFIX)
            if name == variable or name in known or variable in _OTHER_VARIABLES or name.startswith("JOB_"):
                continue
            similar = difflib.get_close_matches(name, sorted(known), n=1, cutoff=_MIN_SIMILARITY)
            if near := [_OPTION_NAMES[name]] if name in _OPTION_NAMES else similar:
                raise ConfigError(f"{variable}{origin} is not a setting: did you mean {PREFIX}{near[0]}?")
            found.append(variable + origin)
    return found


def ignored_variables(settings: Collection[str]) -> list[str]:
    """Settings of a ``.env`` in the current folder that are not read: a downloaded dataset may hold one."""
    found = (name.removeprefix(PREFIX).lower() for name in variables(Path(FOUND)) if name.startswith(PREFIX))
    return [PREFIX + name.upper() for name in found if name in settings and name not in HARMLESS]
