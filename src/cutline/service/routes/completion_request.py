"""What a chat completion asks for, and the refusal of what no captioner here can do.

API: https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cutline.prompts import Prompt
from cutline.prompts.variables import escape
from cutline.records import JSON, Sample
from cutline.service.caption_options import CaptionOptions
from cutline.service.errors import Refusal
from cutline.service.pictures import Pictures
from cutline.service.request_errors import told

USUAL: Final = Prompt().prefix
"""The question of those who leave it to us: a model with a way of its own is asked in that way."""

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
"""Fields that would change the answer and cannot be honoured, with the values that change nothing."""


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class Message(_Open):
    """``content`` is a text, or a list of parts of type ``text`` and ``image_url``."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[dict[str, Any]] | None = None


class StreamOptions(_Open):
    include_usage: bool = False


class ChatRequest(_Open):
    """A chat completion with a picture; fields that are not named here are tolerated."""

    model: str = Field(max_length=1_000)
    messages: list[Message] = Field(min_length=1, max_length=1_000)
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    seed: int | None = Field(None, ge=0, lt=2**63)
    response_format: dict[str, Any] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that can be answered: whose picture, how, and in which form."""

    sample: Sample
    wish: CaptionOptions
    model: str
    stream: bool
    include_usage: bool


def read_request(body: bytes, pictures: Pictures) -> Asked:
    """The request in a body.

    Raises:
        Refusal: 400, naming the field, for what is no request or cannot be honoured.
    """
    try:
        request = ChatRequest.model_validate_json(body)
    except ValidationError as error:
        raise _invalid(error) from None
    _refuse_unsupported(request.model_extra or {})
    streamed = bool(request.stream)
    if request.stream_options is not None and not streamed:
        raise _refused("stream_options goes with stream: true only", "stream_options")
    sample, text = _question(request.messages, pictures)
    return Asked(
        sample=sample,
        wish=_wish(request, text),
        model=request.model,
        stream=streamed,
        include_usage=request.stream_options is not None and request.stream_options.include_usage,
    )


def _question(messages: list[Message], pictures: Pictures) -> tuple[Sample, str]:
    """The picture and the words of the last user message."""
    at = next((at for at in reversed(range(len(messages))) if messages[at].role == "user"), None)
    if at is None:
        raise _refused("there is no message of the user", "messages")
    where = f"messages[{at}].content"
    content = messages[at].content
    parts = content if isinstance(content, list) else [{"type": "text", "text": content or ""}]
    links = [_link(part, where) for part in parts if part.get("type") == "image_url"]
    if len(links) != 1:
        said = "no picture" if not links else f"{len(links)} pictures"
        raise _refused(f"the last user message has {said}: send one, as a part of type image_url", where)
    return _sample(links[0], pictures, where), _text(parts, where)


def _text(parts: list[dict[str, Any]], where: str) -> str:
    texts = []
    for part in parts:
        kind = part.get("type")
        if kind == "text" and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif kind != "image_url":
            raise _refused(f"parts of type {kind!r} are not taken: only text and image_url", where)
    return "\n".join(texts).strip()


def _link(part: dict[str, Any], where: str) -> str:
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, dict) else image
    if not isinstance(url, str) or not url:
        raise _refused("image_url needs a url", where)
    return url


def _sample(url: str, pictures: Pictures, where: str) -> Sample:
    if url.startswith("data:"):
        head, comma, encoded = url.partition(",")
        if not comma or not head.endswith(";base64"):
            raise _refused("the data URL must be data:image/…;base64,…", where)
        return pictures.by_base64(encoded)
    if url.startswith(("http://", "https://")):
        return pictures.by_url(url)
    raise _refused("the url must begin with data:, http:// or https://", where)


def _system(messages: list[Message]) -> str | None:
    texts = []
    for at, message in enumerate(messages):
        if message.role not in {"system", "developer"}:
            continue
        content = message.content or ""
        parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
        if any(part.get("type") == "image_url" for part in parts):
            raise _refused("a system message holds text only", f"messages[{at}].content")
        texts.append(_text(parts, f"messages[{at}].content"))
    return "\n\n".join(filter(None, texts)) or None


def _wish(request: ChatRequest, text: str) -> CaptionOptions:
    system = _system(request.messages)
    tokens = request.max_completion_tokens
    try:
        return CaptionOptions(
            # Braces of clients are text, not variables, and no word of theirs is a name in our library.
            prompt=f"text:{escape(text)}" if text and text != USUAL else None,
            system_prompt=escape(system) if system else None,
            json_schema=_schema(request.response_format),
            max_tokens=tokens if tokens is not None else request.max_tokens,
            temperature=request.temperature,
            top_p=request.top_p,
            seed=request.seed,
        )
    except ValidationError as error:
        raise _invalid(error) from None


def _schema(form: JSON | None) -> JSON | None:
    kind = form.get("type") if form is not None else "text"
    if form is None or kind == "text":
        return None
    if kind != "json_schema":
        raise _refused(
            f"response_format of type {kind!r} is not supported: use json_schema", "response_format"
        )
    described = form.get("json_schema")
    schema = described.get("schema") if isinstance(described, dict) else None
    if not isinstance(schema, dict):
        raise _refused("response_format.json_schema needs a schema", "response_format")
    return schema


def _refuse_unsupported(given: JSON) -> None:
    for name, harmless in _UNSUPPORTED.items():
        value = given.get(name)
        if value is not None and value not in harmless:
            what = "n must be 1" if name == "n" else f"{name} is not supported"
            raise Refusal(400, what, code="unsupported_parameter", param=name)


def _refused(message: str, param: str) -> Refusal:
    return Refusal(400, message, code="invalid_value", param=param)


def _invalid(error: ValidationError) -> Refusal:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return Refusal(400, told(where, first), code="invalid_value", param=where or None)
