"""Files that a command writes again each time, and that replace none of someone else's."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cutline.engine.state import State
from cutline.errors import OutputExists
from cutline.files import remove_parts, write_atomically, write_errors
from cutline.sources.outputs import COMPARISON_RECORD

_REMEMBERED: Final = 200  # digests of what was written

_KEPT: Final = 30  # digests of earlier reports, as several formats may share one state


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
        self._known = digests[-_KEPT:] if isinstance(digests, list) else []
        self._found = _digest(path.read_bytes()) if path.is_file() else ""
        if path.exists() and not (isinstance(digests, list) and self._found in digests):
            raise OutputExists(f"{path} exists and was not written by {what}; choose another --output-path")

    def write(self, data: bytes) -> None:
        """Replace the report; raises SinkError where that is not possible."""
        # Both are recorded: whichever is there after a crash is ours.
        self._state.write(COMPARISON_RECORD, {"digests": [*self._known, self._found, _digest(data)]})
        with write_errors(self._path):
            write_atomically(self._path, data)


class WrittenFiles:
    """Keeps a command from replacing files that were edited, or that it did not write for the same input.

    ``record`` is their file in the state folder, ``what`` the command as it is named to users.
    """

    def __init__(self, state: State, record: str, *, input_name: str, what: str) -> None:
        self._state = state
        self._record = record
        self._input = input_name
        self._what = what
        known: Mapping[str, object] = state.read(record) or {}
        digests = known.get("digests")
        listed = [each for each in digests if isinstance(each, str)] if isinstance(digests, list) else []
        is_same = known.get("input") == input_name
        self._digests, self._of_others = (listed, []) if is_same else ([], listed)

    def check(self, path: Path, cure: str) -> None:
        """Raises OutputExists for a file that is there and is not ours."""
        if not os.path.lexists(path):
            return
        found = _digest_of_file(path) if path.is_file() else ""
        if found in self._digests:
            return
        why = "written for another input" if found in self._of_others else f"not as {self._what} wrote it"
        raise OutputExists(f"{path} already exists, {why}: {cure}, or move it away")

    def add(self, part: Path, path: Path) -> None:
        """Record ``part``, which is about to replace ``path``; raises SinkError."""
        # Both are recorded: whichever is there after a crash is ours.
        found = [_digest_of_file(path)] if path.is_file() else []
        new = [*found, _digest_of_file(part)]
        self._digests = [*(each for each in self._digests if each not in new), *new][-_REMEMBERED:]
        self._state.write(self._record, {"input": self._input, "digests": self._digests})


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _digest_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
