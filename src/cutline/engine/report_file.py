"""A report that a command writes anew each time, and that replaces no file of someone else's."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from cutline.engine.state import State
from cutline.errors import OutputExists
from cutline.files import remove_parts, write_atomically, write_errors
from cutline.sources.outputs import COMPARISON_RECORD


class ReportFile:
    """Keeps a report from replacing a file that no such command wrote, or that was edited since.

    ``what`` names the command's result, such as "a comparison".

    Raises:
        OutputExists: on construction, if there is such a file.
    """

    def __init__(self, state: State, path: Path, *, what: str) -> None:
        self._state = state
        self._path = path
        remove_parts(path.parent, path.name)
        known: Mapping[str, object] = state.read(COMPARISON_RECORD) or {}
        digests = known.get("digests")
        self._found = _digest(path.read_bytes()) if path.is_file() else ""
        if path.exists() and not (isinstance(digests, list) and self._found in digests):
            raise OutputExists(f"{path} exists and is not as {what} wrote it; choose another --output-path")

    def write(self, data: bytes) -> None:
        """Replace the report; raises SinkError where that is not possible."""
        # Both are recorded: whichever is there after a crash is ours.
        self._state.write(COMPARISON_RECORD, {"digests": [self._found, _digest(data)]})
        with write_errors(self._path):
            write_atomically(self._path, data)


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
