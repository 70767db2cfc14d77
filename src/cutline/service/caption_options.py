"""The options that a request may set beside its picture."""

from __future__ import annotations

from typing import Any

import orjson
from pydantic import ConfigDict, Field, field_validator

from cutline.parameters import MAX_TOKENS, SEED, TEMPERATURE, TOP_P, USUAL
from cutline.service.described_model import DescribedModel
from cutline.service.schema_bounds import check_bounds

MAX_SCHEMA = 50_000  # bytes


class CaptionOptions(DescribedModel):
    """How a picture is captioned; what is left out is as the service was started.

    ``prompt``: a text or the name of a library prompt; ``text:…`` is always a text. ``schema``: a JSON Schema
    for a structured caption. ``chain``: one of those that `/models` lists; it has its own prompts and
    parameters, so nothing else can be set with it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    prompt: str | None = Field(None, min_length=1, max_length=20_000)
    """A text, or the name of a prompt that `/models` lists; `text:…` is always a text."""
    system_prompt: str | None = Field(None, max_length=20_000)
    """The system message before the prompt."""
    language: str | None = Field(None, min_length=1, max_length=40)
    """The language of the caption, such as `German` or `de`."""
    json_schema: dict[str, Any] | None = Field(None, alias="schema")
    """A JSON Schema: the caption is structured, and its values are in `fields`."""
    max_tokens: int | None = Field(None, **MAX_TOKENS.constraints)
    """The longest reply, in tokens."""
    temperature: float | None = Field(None, **TEMPERATURE.constraints)
    """Variety of the replies; 0 for none."""
    top_p: float | None = Field(None, **TOP_P.constraints)
    """Of the likeliest next tokens, those with this probability together are considered."""
    seed: int | None = Field(None, **SEED.constraints)
    """A number that makes replies repeatable where the model supports it."""
    chain: str | None = Field(None, min_length=1, max_length=200)
    """A chain that `/models` lists, in place of the model; no other option can be set with it."""

    @field_validator("json_schema")
    @classmethod
    def _bounded(cls, schema: dict[str, Any] | None) -> dict[str, Any] | None:
        if schema is not None:
            check_bounds(schema)
        try:
            size = len(orjson.dumps(schema))
        except orjson.JSONEncodeError:
            raise ValueError("a schema cannot hold a number beyond 64 bits") from None
        if size > MAX_SCHEMA:
            raise ValueError(f"a schema can have at most {MAX_SCHEMA} bytes")
        return schema

    def to_json(self) -> bytes:
        """Sorted JSON without what is left out: equal for equal options, and stored with queued jobs."""
        return orjson.dumps(self.model_dump(exclude_none=True, by_alias=True), option=orjson.OPT_SORT_KEYS)

    @property
    def parameters(self) -> dict[str, Any]:
        """Sampling parameters of the model."""
        return {name: value for name in USUAL if (value := getattr(self, name)) is not None}
