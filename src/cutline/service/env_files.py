"""Files of variables: one that is named is trusted, one that is in the current folder may set limits.

A downloaded dataset can hold a ``.env``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from dotenv import dotenv_values

from cutline.errors import ConfigError
from cutline.files import not_there

PREFIX: Final = "CUTLINE_"
FOUND: Final = ".env"
HARMLESS: Final = (
    *("service_key", "port", "workers", "log_level", "device", "dtype", "start_timeout", "max_body"),
    *("max_pictures", "max_queued", "max_tokens", "max_pixels", "max_waiting", "max_held", "keep_days"),
    *("lease_seconds", "request_seconds"),
)
"""What a ``.env`` in the current folder may set: nothing that opens the service or has it reach elsewhere."""


def env_file(given: Mapping[str, Any]) -> Path | None:
    """The file that an option or the environment names; raises ConfigError if it is not there."""
    name = given.get("env_file") or os.environ.get("CUTLINE_ENV_FILE")
    if not name:
        return None
    file = Path(name).expanduser()
    if not file.is_file():
        raise ConfigError(f"--env-file {not_there(name)}")
    return file


def variables(file: Path) -> dict[str, str]:
    """Our variables in a file, by their names in capitals; none where it is not there."""
    try:
        found = dotenv_values(file, interpolate=False)
    except (OSError, ValueError):
        return {}
    return {name.upper(): value for name, value in found.items() if value is not None}


def with_harmless(given: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """The options with what a ``.env`` in the current folder may add, and whether that is the key.

    Options and the environment take precedence. Raises ConfigError for a plug-in.
    """
    found = variables(Path(FOUND))
    if found.get("CUTLINE_PLUGIN"):
        raise ConfigError(
            "a .env file cannot name code to run: set CUTLINE_PLUGIN, or pass --plugin, or --env-file .env"
        )
    elsewhere = {name.upper() for name in os.environ} | {PREFIX + name.upper() for name in given}
    if elsewhere & {"CUTLINE_SERVICE_KEY", "CUTLINE_SERVICE_KEY_FILE"}:
        found.pop("CUTLINE_SERVICE_KEY", None)
    names = {PREFIX + name.upper(): name for name in HARMLESS}
    added = {names[known]: found[known] for known in names.keys() & found.keys() - elsewhere}
    return {**added, **given}, bool(added.get("service_key"))
