"""A run's failures, from the list beside its output."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cutline.errors import ConfigError
from cutline.formatting import one_line
from cutline.serialization import decode_object
from cutline.sources.outputs import FAILURES_ENDING


def failure_rows(output: str) -> Iterator[tuple[str, str, str]]:
    """Key, path and cause of each failure; nothing without a list of cutline's."""
    path = Path(output)
    names = (path.name, path.name.removeprefix("_"))
    found = (path.with_name(name + FAILURES_ENDING) for name in names)
    file = next(filter(Path.is_file, found), None)
    if file is None:
        return
    try:
        with file.open("rb") as lines:
            for line in lines:
                row = decode_object(line) or {}
                key = row.get("image_id", row.get("key"))
                if isinstance(key, str) and key:
                    cause = f"failed: {row.get('kind')}: {row.get('message')}"
                    yield key, str(row.get("image_path") or key), cause
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {one_line(error)}") from error
