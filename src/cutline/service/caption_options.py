"""The options that a request may set beside its picture."""

from __future__ import annotations

import math
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, field_validator

from cutline.parameters import COMMON

MAX_SCHEMA = 50_000  # bytes
_BY_NAME = {parameter.name: parameter for parameter in COMMON}


def parameter_field(name: str) -> Any:
    """The field of a sampling parameter, with the range that all of cutline has for it."""
    parameter = _BY_NAME[name]
    low, high = (-(2**63), 2**63 - 1) if parameter.kind is int else (-math.inf, math.inf)
    bounds = max(parameter.least, low), parameter.above, min(parameter.most, high)
    ge, gt, le = (bound if math.isfinite(bound) else None for bound in bounds)
    return Field(None, ge=ge, gt=gt, le=le)


class CaptionOptions(BaseModel):
    """How a picture is captioned; what is left out is as the service was started.

    ``prompt``: a text or the name of a library prompt; ``text:…`` is always a text. ``schema``: a JSON Schema
    for a structured caption. ``chain``: one of those that `/models` lists; it has its own prompts and
    parameters, so nothing else can be set with it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    prompt: str | None = Field(None, min_length=1, max_length=20_000)
    system_prompt: str | None = Field(None, max_length=20_000)
    language: str | None = Field(None, min_length=1, max_length=40)
    json_schema: dict[str, Any] | None = Field(None, alias="schema")
    max_tokens: int | None = parameter_field("max_tokens")
    temperature: float | None = parameter_field("temperature")
    top_p: float | None = parameter_field("top_p")
    seed: int | None = parameter_field("seed")
    chain: str | None = Field(None, min_length=1, max_length=200)

    @field_validator("json_schema")
    @classmethod
    def _bounded(cls, schema: dict[str, Any] | None) -> dict[str, Any] | None:
        """No patterns: a search without end would block all clients, and every reply would start it."""
        try:
            size = len(orjson.dumps(schema))
        except orjson.JSONEncodeError:
            raise ValueError("a schema cannot hold a number beyond 64 bits") from None
        if size > MAX_SCHEMA:
            raise ValueError(f"a schema can have at most {MAX_SCHEMA} bytes")
        if schema is not None and _has_pattern(schema):
            raise ValueError("a schema with pattern is not accepted: use enum, or describe it in the prompt")
        return schema

    def to_json(self) -> bytes:
        """Sorted JSON without what is left out: equal for equal options, and stored with queued jobs."""
        return orjson.dumps(self.model_dump(exclude_none=True, by_alias=True), option=orjson.OPT_SORT_KEYS)

    @property
    def parameters(self) -> dict[str, Any]:
        """Sampling parameters of the model."""
        return {name: value for name in _BY_NAME if (value := getattr(self, name)) is not None}


def _has_pattern(part: Any) -> bool:
    """Whether the keyword is used; a property may have that name."""
    if isinstance(part, dict):
        return isinstance(part.get("pattern"), str) or any(map(_has_pattern, part.values()))
    return isinstance(part, list) and any(map(_has_pattern, part))
