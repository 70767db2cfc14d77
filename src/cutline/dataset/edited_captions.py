"""Edited captions of a read-only input, as values of the history."""

from __future__ import annotations

import dataclasses
import hashlib

import orjson


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EditedCaption:
    """A caption that replaces the input's own; None if it is deleted.

    ``of`` is the ``caption_digest`` of the input's own caption at the time of the edit; if that is different
    now, the input was replaced, and the edit may not apply.
    """

    caption: str | None
    of: str

    def encode(self) -> bytes:
        return orjson.dumps(self)

    @classmethod
    def decode(cls, content: bytes) -> EditedCaption:
        return cls(**orjson.loads(content))


def caption_digest(caption: str | None) -> str:
    """A digest of a caption; empty for none."""
    return "" if caption is None else hashlib.blake2b(caption.encode(), digest_size=12).hexdigest()
