"""The file that a run reads: a list, a table or a tar, which other programs may write to meanwhile."""

from __future__ import annotations

import dataclasses
import os
import stat
from collections.abc import Iterator

from cutline.locations.stored import file_etag
from cutline.storage import local_path


@dataclasses.dataclass(frozen=True, slots=True)
class InputFile:
    """An input at the start of its run. ``version`` is empty for what is no file of this machine."""

    path: str
    version: str

    @classmethod
    def at(cls, path: str) -> InputFile:
        return cls(path, _version(path))

    def remarks(self) -> Iterator[str]:
        """A line about a file that was written to since: rows of it may be missing, or shifted."""
        version = _version(self.path)
        if version and self.version and version != self.version:
            yield (
                f"{self.path} changed during the run, and not all of its rows may have been read: run the "
                "same command again"
            )


def _version(path: str) -> str:
    try:
        status = os.stat(local_path(path))  # noqa: PTH116 - it may be a pattern, and need not be valid
    except (OSError, ValueError):
        return ""
    return file_etag(status) if stat.S_ISREG(status.st_mode) else ""
