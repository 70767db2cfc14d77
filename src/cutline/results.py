"""Options and results of captioning single pictures, from Python and over HTTP."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Self, TypedDict

from cutline.records import JSON, Failure, Outcome, Skip


class CaptionOptions(TypedDict, total=False):
    """Options of one caption, by default those of the model or service; ``chain`` is one of the service."""

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
    """The result of captioning one picture: ``caption``, or ``error`` with its ``kind`` (docs/failures.md).

    ``image`` is the picture's name as it was given, and ``index`` its position, from 0, among those given
    together; ``fields`` are those of a structured caption. With a chain of several steps ``steps`` has each
    step's name, text and model.
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

    @classmethod
    def of(cls, outcome: Outcome, *, image: str, index: int = 0) -> Self:
        """The result of one picture; a Skip becomes the error ``skipped``."""
        if isinstance(outcome, Skip):
            return cls(image=image, index=index, error=outcome.reason, kind="skipped")
        if isinstance(outcome, Failure):
            return cls(image=image, index=index, error=outcome.message, kind=outcome.kind)
        source, usage = outcome.source, outcome.usage
        return cls(
            image=image,
            index=index,
            caption=outcome.text,
            fields=outcome.fields,
            steps=[
                {"name": step.name, "text": step.text, "model": step.reply.model} for step in outcome.steps
            ]
            if outcome.step
            else None,
            model=source.reply.model if source else None,
            prompt_id=source.prompt_id if source else None,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            seconds=sum(step.reply.seconds for step in outcome.steps),
        )
