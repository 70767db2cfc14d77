"""Variables that nobody reads: a misspelt one must not leave a service without its key."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Final

from cutline.errors import ConfigError

PREFIX: Final = "CUTLINE_"
_OF_JOBS: Final = "CUTLINE_JOB_"
_NEAR: Final = 0.8  # of difflib's ratio: one letter of four
_AS_OPTION: Final = {"API_KEY_FILE": "SERVICE_KEY_FILE"}  # called so as an option, and nobody's as a variable
_OTHERS: Final = frozenset(
    {
        "CUTLINE_API_KEY",  # of an endpoint
        "CUTLINE_ML_ROOT",  # of the enrichment job
        "CUTLINE_PUBLISHED_PORT",  # of the compose files
        "CUTLINE_VARIANT",
        "CUTLINE_SERVICE_SETTINGS",  # what one process of the service leaves for another
        "CUTLINE_BROWSER",  # of the tests
        "CUTLINE_SNAPSHOTS",
        "CUTLINE_SOAK",
        "CUTLINE_SOAK_SECONDS",
    }
)


def unread(settings: Iterable[str], places: Mapping[str, Iterable[str]]) -> list[str]:
    """The variables that begin as ours do and that nothing reads, each with its place.

    ``settings`` are the names of those that are read; ``places`` tells the names that are set, by the words
    that say where, such as "in .env", or nothing.

    Raises:
        ConfigError: one of them is written nearly as a setting is; says which.
    """
    known = {name.upper() for name in settings}
    found = []
    for place, names in places.items():
        for name in sorted(map(str.upper, names)):
            own = name.removeprefix(PREFIX)
            if own == name or own in known or name in _OTHERS or name.startswith(_OF_JOBS):
                continue
            where = f"{name} {place}".rstrip()
            if own in _AS_OPTION:
                near = [_AS_OPTION[own]]
            else:
                near = difflib.get_close_matches(own, sorted(known), n=1, cutoff=_NEAR)
            if near:
                raise ConfigError(f"{where} is no setting: did you mean {PREFIX}{near[0]}?")
            found.append(where)
    return found
