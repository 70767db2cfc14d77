"""Where outcomes go."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from cutline.records import JSON, Outcome, Sample


class Sink(Protocol):
    """Keeps outcomes in source order. All methods block and run in one thread. Subclass it for the defaults.

    Life cycle: ``open`` once, ``write`` and ``commit`` many times, then ``finish`` (everything is written)
    or ``close`` (the run stopped early).
    """

    needs_picture: bool = False
    """Whether ``write`` is given the picture's encoded bytes."""
    resumable: bool = True
    """Whether ``open`` can continue after a mark; if not, every outcome is written again."""
    keeps_captions: bool = False
    """Whether captions that are in the output already stay there unless ``--existing`` says otherwise."""

    def check_open(self, mark: JSON | None) -> None:
        """Raise what ``open`` would raise; override it where that needs no change to the output."""
        self.open(mark)

    def open(self, mark: JSON | None) -> None:
        """Go on after ``mark``, the value of the last ``commit``, undoing later writes; None starts over.

        Raises ConfigError where the output does not match the mark.
        """

    def existing_text(self, sample: Sample) -> str | None:
        """The caption that was there before this job, in the output or with the sample."""
        return sample.text

    def check_write(self, sample: Sample, text: str | None = None) -> None:
        """Raise what ``write`` of a caption would raise, before it is paid for; ``text``: where known."""
        return

    def write(self, sample: Sample, outcome: Outcome, picture: bytes | None) -> None:
        """Take one outcome. Captions become rows; skips and failures may be ignored.

        Raises SampleError where this caption cannot be written and others can; it stays in the journal.
        """

    def commit(self) -> JSON:
        """Make all that was written survive the death of the process; returns the mark."""

    def finish(self) -> None:
        """Publish the whole output atomically. The state folder may keep working parts."""

    def close(self) -> None:
        """Release files without publishing."""

    @property
    def outputs(self) -> list[Path | str]:
        """What the user should look at: files, folders or remote paths."""

    @property
    def warnings(self) -> Sequence[str]:
        """Lines for the summary about what was written, such as files whose encoding changed."""
        return ()
