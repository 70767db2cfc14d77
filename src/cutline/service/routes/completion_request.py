"""Chat completion requests, and the refusal of what no captioner supports.

API: https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cutline.parameters import MAX_TOKENS, SEED, TEMPERATURE, TOP_P
from cutline.prompts import Prompt
from cutline.prompts.variables import escape
from cutline.records import JSON, Sample
from cutline.service.caption_options import CaptionOptions
from cutline.service.errors import ServiceError, field_message
from cutline.service.pictures import Pictures

DEFAULT_PROMPT: Final = Prompt().prefix
"""The prompt of clients that have none: a model with a default prompt of its own uses that."""

_UNSUPPORTED: Final[dict[str, tuple[Any, ...]]] = {
    "n": (1,),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "audio": (),
    "modalities": (["text"],),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "stop": ("", []),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "web_search_options": (),
    "prediction": (),
}
"""Fields that would change the response and are not supported, with the values that change nothing."""


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class Message(_Lenient):
    """``content`` is a text, or a list of parts of type ``text`` and ``image_url``."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[dict[str, Any]] | None = None


class StreamOptions(_Lenient):
    include_usage: bool = False


class ChatBody(_Lenient):
    """A chat completion with a picture; unknown fields are ignored."""

    model: str = Field(max_length=1_000)
    messages: list[Message] = Field(min_length=1, max_length=1_000)
    max_tokens: int | None = Field(None, **MAX_TOKENS.constraints)
    max_completion_tokens: int | None = Field(None, **MAX_TOKENS.constraints)
    temperature: float | None = Field(None, **TEMPERATURE.constraints)
    top_p: float | None = Field(None, **TOP_P.constraints)
    seed: int | None = Field(None, **SEED.constraints)
    response_format: dict[str, Any] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """A valid request: the picture, its options, and the form of the response."""

    sample: Sample
    options: CaptionOptions
    model: str
    stream: bool
    include_usage: bool


def parse_request(body: bytes, pictures: Pictures) -> CompletionRequest:
    """Parse a body; raises ServiceError 400, naming the field, for what is invalid or not supported."""
    try:
        request = ChatBody.model_validate_json(body)
    except ValidationError as error:
        raise _invalid_body(error) from None
    for name, harmless in _UNSUPPORTED.items():
        value = (request.model_extra or {}).get(name)
        if value is not None and value not in harmless:
            message = "n must be 1" if name == "n" else f"{name} is not supported"
            raise ServiceError(400, message, kind="unsupported_parameter", param=name)
    stream = bool(request.stream)
    if request.stream_options is not None and not stream:
        raise _invalid_value("stream_options needs stream: true", "stream_options")
    sample, text = _last_user_message(request.messages, pictures)
    return CompletionRequest(
        sample=sample,
        options=_options(request, text),
        model=request.model,
        stream=stream,
        include_usage=request.stream_options is not None and request.stream_options.include_usage,
    )


def _last_user_message(messages: list[Message], pictures: Pictures) -> tuple[Sample, str]:
    """The picture and the text of the last user message."""
    index = next((index for index in reversed(range(len(messages))) if messages[index].role == "user"), None)
    if index is None:
        raise _invalid_value("there is no user message", "messages")
    where = f"messages[{index}].content"
    content = messages[index].content
    parts = content if isinstance(content, list) else [{"type": "text", "text": content or ""}]
    links = [_link(part, where) for part in parts if part.get("type") == "image_url"]
    if len(links) != 1:
        count = "no picture" if not links else f"{len(links)} pictures"
        raise _invalid_value(
            f"the last user message has {count}: send one, as a part of type image_url", where
        )
    return _sample(links[0], pictures, where), _text(parts, where)


def _text(parts: list[dict[str, Any]], where: str) -> str:
    texts = []
    for part in parts:
        kind = part.get("type")
        if kind == "text" and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif kind != "image_url":
            raise _invalid_value(f"parts of type {kind!r} are not supported: use text and image_url", where)
    return "\n".join(texts).strip()


def _link(part: dict[str, Any], where: str) -> str:
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, dict) else image
    if not isinstance(url, str) or not url:
        raise _invalid_value("image_url needs a url", where)
    return url


def _sample(url: str, pictures: Pictures, where: str) -> Sample:
    if url.startswith("data:"):
        head, comma, encoded = url.partition(",")
        if not comma or not head.endswith(";base64"):
            raise _invalid_value("the data URL must be data:image/…;base64,…", where)
        return pictures.by_base64(encoded)
    if url.startswith(("http://", "https://")):
        return pictures.by_url(url)
    raise _invalid_value("the url must begin with data:, http:// or https://", where)


def _system(messages: list[Message]) -> str | None:
    texts = []
    for index, message in enumerate(messages):
        if message.role not in {"system", "developer"}:
            continue
        content = message.content or ""
        parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
        if any(part.get("type") == "image_url" for part in parts):
            raise _invalid_value("a system message can hold text only", f"messages[{index}].content")
        texts.append(_text(parts, f"messages[{index}].content"))
    return "\n\n".join(filter(None, texts)) or None


def _options(request: ChatBody, text: str) -> CaptionOptions:
    system = _system(request.messages)
    tokens = request.max_completion_tokens
    try:
        return CaptionOptions(
            # Braces of clients are text, not variables, and their texts are no names in our library.
            prompt=f"text:{escape(text)}" if text and text != DEFAULT_PROMPT else None,
            system_prompt=escape(system) if system else None,
            json_schema=_schema(request.response_format),
            max_tokens=tokens if tokens is not None else request.max_tokens,
            temperature=request.temperature,
            top_p=request.top_p,
            seed=request.seed,
        )
    except ValidationError as error:
        raise _invalid_body(error) from None


def _schema(format_: JSON | None) -> JSON | None:
    kind = format_.get("type") if format_ is not None else "text"
    if format_ is None or kind == "text":
        return None
    if kind != "json_schema":
        raise _invalid_value(
            f"response_format of type {kind!r} is not supported: use json_schema", "response_format"
        )
    json_schema = format_.get("json_schema")
    schema = json_schema.get("schema") if isinstance(json_schema, dict) else None
    if not isinstance(schema, dict):
        raise _invalid_value("response_format.json_schema needs a schema", "response_format")
    return schema


def _invalid_value(message: str, param: str) -> ServiceError:
    return ServiceError(400, message, kind="invalid_value", param=param)


def _invalid_body(error: ValidationError) -> ServiceError:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    return ServiceError(400, field_message(where, first), kind="invalid_value", param=where or None)
