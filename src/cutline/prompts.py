"""Prompts: what a captioner is asked, and how its answer becomes a caption."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

from cutline.records import JSON


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A worked example: an encoded picture and the explanation that belongs to it."""

    image: bytes
    mime: str
    explanation: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What to ask. Sent as: system · prefix · example image · explanation · suffix · the picture last.

    ``id`` is ``name@hash`` of the template; a rendered prompt keeps the id of its template.
    """

    name: str = "default"
    system: str = ""
    prefix: str = "Describe this image in detail."
    suffix: str = ""
    example: Example | None = None
    regex: str | None = None
    schema: JSON | None = None
    id: str = ""

    def __post_init__(self) -> None:
        if not self.id:
            text = repr((self.system, self.prefix, self.suffix, self.example, self.regex, self.schema))
            digest = hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
            object.__setattr__(self, "id", f"{self.name}@{digest}")

    def render(self, variables: Mapping[str, Any]) -> Prompt:
        """The prompt with ``{name}`` variables filled in; itself when there are none."""
        return self

    def extract(self, text: str) -> tuple[str, JSON | None]:
        """The caption within a model's reply, and the fields of a structured one.

        Raises:
            ReplyError: ``regex-miss`` or ``schema-miss``.
        """
        return text.strip(), None
