"""Which outputs this job wrote: a record in the state folder, and the errors about those of others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import orjson

from cutline.errors import OutputExists
from cutline.files import write_atomically, write_errors
from cutline.records import JSON
from cutline.serialization import read_object
from cutline.sinks.targets import Target


class OwnershipRecord:
    """A file of the state folder that describes the output as this job left it.

    ``stamps``: of the finished output; two while the second replaces the first. ``identity``: of the file
    while it grows. ``made_of``: the rows it was made from.
    """

    def __init__(self, file: Path, recorded: Callable[[str], None] = lambda _: None) -> None:
        """``recorded`` as in ``SinkOptions``."""
        self._file = file
        self._recorded = recorded
        self.data: JSON = read_object(file) or {}

    def save(self, **data: object) -> None:
        """Replace the record."""
        with write_errors(self._file):
            write_atomically(self._file, orjson.dumps(data))
        self.data = data
        self._recorded(self._file.name)

    @property
    def stamps(self) -> list[JSON]:
        found = self.data.get("stamps")
        return [stamp for stamp in found if isinstance(stamp, dict)] if isinstance(found, list) else []

    def covers(self, target: Target) -> bool:
        """Whether the finished output is there as we left it."""
        return any(target.matches(stamp) for stamp in self.stamps)

    def describes(self, target: Target, path: Path) -> bool:
        """Whether the output at ``path`` is as we left it, finished or while it grew."""
        if self.stamps:
            return target.exists() and self.covers(target)
        return bool(self.data.get("identity") == file_identity(path))


def file_identity(path: Path) -> JSON:
    """What stays the same while a file grows."""
    status = path.stat()
    return {"inode": status.st_ino, "device": status.st_dev}


def output_exists(name: str) -> OutputExists:
    """The error for an output that this job did not write."""
    return OutputExists(
        f"{name} already exists, not as this job left it: "
        "choose another output, replace it with --existing overwrite, or give the --state that it was "
        "made with"
    )
