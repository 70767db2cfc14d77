"""A job that was begun in another working folder."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from cutline.job import Job
from cutline.storage import is_url

_PATHS = {
    "model": ("plugin",),
    "prompts": ("prompt", "schema"),
    "run": ("prices",),
}
"""The options that may name a file, by their group."""


def anchored(job: Job, origin: Path) -> Job:
    """The job with its relative paths as they were meant in ``origin``; its output is left as it is."""
    if origin == Path.cwd():
        return job
    changes: dict[str, Any] = {}
    if not is_url(job.input_path):
        changes["input_path"] = str(origin / job.input_path)
    root = job.input.image_root
    if root is not None and not is_url(root):
        changes["input"] = dataclasses.replace(job.input, image_root=str(origin / root))
    for group, names in _PATHS.items():
        values = getattr(job, group)
        found = {name: _placed(getattr(values, name), origin) for name in names}
        changes[group] = dataclasses.replace(values, **found)
    return dataclasses.replace(job, **changes)


def _placed(value: Any, origin: Path) -> Any:
    if isinstance(value, tuple):
        return tuple(_placed(item, origin) for item in value)
    if not isinstance(value, str):
        return value
    if _is_file(origin / value):
        return str(origin / value)
    name, mark, rest = value.partition("=")  # a prompt of that name
    return f"{name}={origin / rest}" if mark and _is_file(origin / rest) else value


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a text that is no path
        return False
