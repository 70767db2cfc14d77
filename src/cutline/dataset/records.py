"""What the parts of a dataset exchange."""

from __future__ import annotations

import dataclasses
import enum


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One file and its content before and after; None where there is, or will be, no file."""

    file: str
    before: bytes | None
    after: bytes | None


class Status(enum.IntEnum):
    """What became of a change."""

    WRITTEN = 0
    CONFLICT = 1
    """The file had another content than ``before``: it was left alone."""
    STOPPED = 2
    """Not reached before the edit was stopped."""
    FAILED = 3
    """The file could not be written."""
    PENDING = 4
    """Added to an edit, and not written yet."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EditInfo:
    """What an edit is, for the history. ``target``: the edit that this one takes back, or applies again."""

    kind: str
    summary: str
    author: str = ""
    model: str = ""
    prompt_id: str = ""
    target: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EditRecord:
    """An edit of the history. ``time`` is in seconds since 1970, ``files`` the number that were written.

    ``undone_by``: the edit that took it back. ``state``: ``open`` while it is written, then ``done`` or
    ``stopped``.
    """

    id: int
    time: float
    info: EditInfo
    state: str
    files: int
    undone_by: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A content that a file has had: ``content`` after ``edit``."""

    edit: EditRecord
    content: bytes | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EditResult:
    """What an edit did. ``written`` counts files; the others name those that were left alone, and why.

    ``unit``: ``caption`` where these are captions of an input whose files are never written.
    """

    id: int | None
    summary: str
    written: int
    conflicts: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()
    stopped: int = 0
    unit: str = "file"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CaptionVersion:
    """A caption that a picture has had since the edit numbered ``edit``; ``by`` says who or what wrote it."""

    edit: int
    time: str
    by: str
    caption: str | None
    prompt_id: str = ""
