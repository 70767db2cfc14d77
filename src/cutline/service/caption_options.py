"""What a request may ask for besides its picture."""

from __future__ import annotations

from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, field_validator

MOST_SCHEMA = 50_000


class CaptionOptions(BaseModel):
    """How a picture is to be described; what is left out is as the service was started.

    ``prompt``: a text or the name of a library prompt; ``text:…`` is a text in any case. ``schema``: a
    JSON Schema for a structured caption. ``chain``: one of those that `/models` lists; it brings its own
    prompts and parameters, so that nothing else can be wished for.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    prompt: str | None = Field(None, min_length=1, max_length=20_000)
    system_prompt: str | None = Field(None, max_length=20_000)
    language: str | None = Field(None, min_length=1, max_length=40)
    json_schema: dict[str, Any] | None = Field(None, alias="schema")
    max_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=10)
    top_p: float | None = Field(None, gt=0, le=1)
    seed: int | None = Field(None, ge=0, lt=2**63)
    chain: str | None = Field(None, min_length=1, max_length=200)

    @field_validator("json_schema")
    @classmethod
    def _harmless(cls, schema: dict[str, Any] | None) -> dict[str, Any] | None:
        """No patterns: a search that runs on keeps all clients waiting, and every reply would start it."""
        try:
            size = len(orjson.dumps(schema))
        except orjson.JSONEncodeError:
            raise ValueError("a schema can hold no number beyond 64 bits here") from None
        if size > MOST_SCHEMA:
            raise ValueError(f"a schema can have at most {MOST_SCHEMA} bytes here")
        if schema is not None and _has_pattern(schema):
            raise ValueError(
                "a schema with pattern is not taken here: use enum, or describe it in the prompt"
            )
        return schema

    @property
    def key(self) -> bytes:
        """Equal for wishes that mean the same."""
        return orjson.dumps(self.model_dump(exclude_none=True, by_alias=True), option=orjson.OPT_SORT_KEYS)

    @property
    def parameters(self) -> dict[str, Any]:
        """What reaches the model besides words."""
        names = ("max_tokens", "temperature", "top_p", "seed")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


def _has_pattern(part: Any) -> bool:
    """Whether the keyword is in it; a field may be called so."""
    if isinstance(part, dict):
        return isinstance(part.get("pattern"), str) or any(map(_has_pattern, part.values()))
    return isinstance(part, list) and any(map(_has_pattern, part))
