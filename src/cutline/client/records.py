"""What is sent to the service and what it returns, as values."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, TypeAlias

from cutline.records import JSON
from cutline.results import CaptionResult

if TYPE_CHECKING:
    import os

    from cutline.imaging.picture_objects import PictureObject


class ServerPath(str):
    """A path on the server, below one of its image roots; the client does not read it."""

    __slots__ = ()


Image: TypeAlias = "str | os.PathLike[str] | PictureObject"
"""A local file, an http(s) URL that the server fetches, what a program holds, or a ``ServerPath``."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TaskProgress:
    """A job's progress. ``status``: queued, in_progress, completed, failed or cancelled.

    ``captioned``, ``failed``, ``remaining`` and, once a job is cancelled, ``cancelled`` make up ``total``.
    """

    task_id: str
    status: str
    total: int
    captioned: int
    failed: int
    remaining: int
    cancelled: int = 0

    @property
    def has_ended(self) -> bool:
        return self.status not in {"queued", "in_progress"}


_RESULT_FIELDS = frozenset(field.name for field in dataclasses.fields(CaptionResult)) - {"image"}
_PROGRESS_FIELDS = frozenset(field.name for field in dataclasses.fields(TaskProgress))


def caption_result_from(data: JSON, image: str | None = None, index: int | None = None) -> CaptionResult:
    """A picture's part of a response; fields of a newer service are ignored."""
    known = {name: value for name, value in data.items() if name in _RESULT_FIELDS}
    if index is not None:
        known["index"] = index
    return CaptionResult(image=str(data["image_path"]) if image is None else image, **known)


def progress_from(data: JSON) -> TaskProgress:
    return TaskProgress(**{name: value for name, value in data.items() if name in _PROGRESS_FIELDS})
