"""Whose an output is: what the state folder knows of the files that we wrote."""

from __future__ import annotations

from pathlib import Path

import orjson

from cutline.errors import OutputExists
from cutline.files import write_atomically, write_errors
from cutline.records import JSON
from cutline.sinks.targets import Target


class OwnershipRecord:
    """A note in the state folder of how we left an output.

    ``stamps``: what it may look like when finished; two while the second takes the place of the
    first. ``identity``: which file it is while it grows. ``made_of``: the rows it was made from.
    """

    def __init__(self, note: Path) -> None:
        self._note = note
        self.data: JSON = orjson.loads(note.read_bytes()) if note.exists() else {}

    def save(self, **data: object) -> None:
        """Replace the note.

        Raises:
            SinkError: the state folder cannot be written.
        """
        with write_errors(self._note):
            write_atomically(self._note, orjson.dumps(data))
        self.data = data

    @property
    def stamps(self) -> list[JSON]:
        return list(self.data.get("stamps", ()))

    def covers(self, target: Target) -> bool:
        """Whether the finished output is there as we left it."""
        return any(target.matches(stamp) for stamp in self.stamps)


def output_exists(name: str) -> OutputExists:
    """The refusal to replace an output that this job did not write."""
    return OutputExists(
        f"{name} is there already and not as this job left it: "
        "choose another output, replace it with --existing overwrite, or give the --state that it was "
        "made with"
    )
