"""What goes to the service and what comes back, as values."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias, TypedDict

from cutline.records import JSON


class ServerPath(str):
    """A path on the server's side, below one of its image roots: nothing is read here."""

    __slots__ = ()


Image: TypeAlias = str | Path | bytes
"""A file here, an http(s) URL that the server fetches, encoded bytes, or a ``ServerPath``."""


class CaptionOptions(TypedDict, total=False):
    """How pictures are to be described; what is left out is as the service was started."""

    prompt: str
    system_prompt: str
    language: str
    schema: Mapping[str, Any]
    max_tokens: int
    temperature: float
    top_p: float
    seed: int
    chain: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CaptionResult:
    """What became of one picture: ``caption``, or ``error`` with its ``kind`` as in docs/failures.md.

    ``image`` is what the picture was called when it was sent, and ``index`` its place among those that were
    sent together, from 0; ``fields`` are those of a structured caption. Of a chain with several steps
    ``steps`` has each one's name, text and model.
    """

    image: str
    index: int = 0
    caption: str | None = None
    fields: JSON | None = None
    steps: list[JSON] | None = None
    model: str | None = None
    prompt_id: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    error: str | None = None
    kind: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TaskProgress:
    """How far a job is. ``status``: queued, in_progress, completed, failed or cancelled.

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


_DESCRIBED = frozenset(field.name for field in dataclasses.fields(CaptionResult)) - {"image"}
_PROGRESS = frozenset(field.name for field in dataclasses.fields(TaskProgress))


def caption_result_from(data: JSON, image: str | None = None, index: int | None = None) -> CaptionResult:
    """A picture's part of an answer; what a newer service says besides is left out."""
    known = {name: value for name, value in data.items() if name in _DESCRIBED}
    if index is not None:
        known["index"] = index
    return CaptionResult(image=str(data["image_path"]) if image is None else image, **known)


def progress_from(data: JSON) -> TaskProgress:
    return TaskProgress(**{name: value for name, value in data.items() if name in _PROGRESS})
