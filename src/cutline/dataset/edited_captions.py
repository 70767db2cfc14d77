"""Captions that were edited of an input whose files are never written: values of the history."""

from __future__ import annotations

import dataclasses
import hashlib

import orjson


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EditedCaption:
    """A caption in place of the input's own; None where that is deleted.

    ``of`` tells the input's own one at the time of the edit, see ``caption_digest``: where it has another
    one now, it was replaced, and the edit may be about something else.
    """

    caption: str | None
    of: str

    def encode(self) -> bytes:
        return orjson.dumps(self)

    @classmethod
    def decode(cls, content: bytes) -> EditedCaption:
        return cls(**orjson.loads(content))


def caption_digest(caption: str | None) -> str:
    """Differs for different captions; empty for none."""
    return "" if caption is None else hashlib.blake2b(caption.encode(), digest_size=12).hexdigest()
