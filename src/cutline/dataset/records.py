"""Records that the parts of a dataset exchange."""

from __future__ import annotations

import dataclasses
import enum


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One file and its content before and after; None for no file."""

    file: str
    before: bytes | None
    after: bytes | None


class Status(enum.IntEnum):
    """The status of a change."""

    WRITTEN = 0
    CONFLICT = 1
    """The file's content was not ``before``: it was not changed."""
    STOPPED = 2
    """Not reached before the edit was stopped."""
    FAILED = 3
    """The file could not be written."""
    PENDING = 4
    """Added to an edit, not written yet."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EditInfo:
    """The description of an edit. ``target``: the edit that this one undoes or redoes."""

    kind: str
    summary: str
    author: str = ""
    model: str = ""
    prompt_id: str = ""
    target: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EditRecord:
    """An edit of the history.

    ``time`` is in seconds since 1970, ``files`` the number of written files. ``undone_by``: the edit that
    undid it. ``state``: ``open`` while it is written, then ``done`` or ``stopped``.
    """

    id: int
    time: float
    info: EditInfo
    state: str
    files: int
    undone_by: int | None = None

    @property
    def reversal(self) -> EditInfo:
        """The edit that takes this one back: of an undo, a redo."""
        kind = "redo" if self.info.kind == "undo" else "undo"
        summary = self.info.summary.removeprefix("undo: ").removeprefix("redo: ")
        return EditInfo(kind=kind, summary=f"{kind}: {summary}", target=self.id)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A content that a file has had: ``content`` after ``edit``, ``before`` in its place."""

    edit: EditRecord
    before: bytes | None
    content: bytes | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EditResult:
    """The result of an edit. ``written`` counts files; the others name unchanged ones, with the reason.

    ``unit``: ``caption`` for captions of a read-only input, ``proposal`` or ``picture`` where none changed.
    ``converted``: how many files are in UTF-8 now, by the encoding that they had and that lacks a character.
    """

    id: int | None
    summary: str
    written: int
    conflicts: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()
    stopped: int = 0
    unit: str = "file"
    converted: tuple[tuple[str, int], ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CaptionVersion:
    """A caption that a picture has had since the edit numbered ``edit``; ``by`` says who or what wrote it.

    ``edit`` is 0, and ``time`` empty, for one that no edit wrote: the first, and what other programs wrote.
    """

    edit: int
    time: str
    by: str
    caption: str | None
    prompt_id: str = ""
