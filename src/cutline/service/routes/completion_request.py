"""Chat completion requests, and the refusal of what no captioner supports.

API: https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from cutline.parameters import MAX_TOKENS, SEED, TEMPERATURE, TOP_P
from cutline.prompts import Prompt
from cutline.prompts.variables import escape
from cutline.records import JSON
from cutline.service.caption_options import CaptionOptions
from cutline.service.conversation import Conversation
from cutline.service.described_model import DescribedModel
from cutline.service.errors import ServiceError, field_message
from cutline.service.pictures import Pictures
from cutline.service.routes.messages import Message, conversation, invalid_value, text_of
from cutline.service.routes.tools import Tool, forced_tool

DEFAULT_PROMPT: Final = Prompt().prefix
"""The prompt of clients that have none: a model with a default prompt of its own uses that."""

_UNSUPPORTED: Final[dict[str, tuple[Any, ...]]] = {
    "n": (1,),
    "tool_choice": ("none", "auto"),
    "tools": ([],),
    "function_call": ("none", "auto"),
    "functions": ([],),
    "audio": (),
    "modalities": (["text"],),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "web_search_options": (),
    "prediction": (),
}
"""Fields that would change the response and are not supported, with the values that change nothing."""
_TOOLS: Final = frozenset({"tools", "tool_choice"})
_WITHOUT_TOOLS: Final = {name: values for name, values in _UNSUPPORTED.items() if name not in _TOOLS}


MAX_STOPS: Final = 16
MAX_STOP: Final = 1_000  # characters
UNLIMITED: Final = -1  # tokens, as the same clients write it
RANDOM_SEED: Final = -1  # as llama.cpp, Ollama and their clients write it
_FOR_JSON: Final = "for JSON use response_format of type json_schema"
_FORCED: Final = "name one of the tools in tool_choice"

_CURES: Final = {
    "n": "send the request again for another reply",
    "tools": f"send tool_choice 'none' or {_FORCED}, or {_FOR_JSON}",
    "tool_choice": f"send 'none' or {_FORCED}, or {_FOR_JSON}",
    "functions": f"send function_call 'none' or use tools, or {_FOR_JSON}",
    "function_call": f"send 'none' or use tools, or {_FOR_JSON}",
}
CHOICES: Final = {"tools": "tool_choice", "functions": "function_call"}
"""Fields that say whether the model may call what another field lists."""


MaxTokens: TypeAlias = Annotated[
    int | None, BeforeValidator(lambda value: None if value == UNLIMITED else value)
]


class _Lenient(DescribedModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class StreamOptions(_Lenient):
    include_usage: bool = False
    """Whether the last event has the tokens."""


class ChatBody(_Lenient):
    """A chat completion with a picture; unknown fields are ignored."""

    model: str = Field(max_length=1_000)
    """The model, or a chain, that `/v1/models` lists."""
    messages: list[Message] = Field(min_length=1, max_length=1_000)
    """The conversation; the last message of the user has the picture, or follows it."""
    max_tokens: MaxTokens = Field(None, **MAX_TOKENS.constraints)
    """The longest reply, in tokens."""
    max_completion_tokens: MaxTokens = Field(None, **MAX_TOKENS.constraints)
    """The same by its newer name."""
    temperature: float | None = Field(None, **TEMPERATURE.constraints)
    """Variety of the replies; 0 for none."""
    top_p: float | None = Field(None, **TOP_P.constraints)
    """Of the likeliest next tokens, those with this probability together are considered."""
    seed: int | None = Field(None, **SEED.constraints)
    """A number that makes replies repeatable where the model supports it."""
    stop: str | list[str] | None = None
    """The reply ends before the first of these texts."""
    response_format: dict[str, Any] | None = None
    """`json_schema` for a structured reply."""
    stream: bool | None = None
    """Whether the reply comes as events."""
    stream_options: StreamOptions | None = None
    """Options of these events."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """A valid request: the conversation, its options, and the form of the response.

    ``stop``: the text ends before the first of these. ``tool``: the reply is a call of it.
    """

    conversation: Conversation
    stop: tuple[str, ...] = ()
    tool: Tool | None = None
    options: CaptionOptions
    model: str
    stream: bool
    include_usage: bool


def parse_request(body: bytes, pictures: Pictures) -> CompletionRequest:
    """Parse a body; raises ServiceError 400, naming the field, for what is invalid or not supported."""
    try:
        request = ChatBody.model_validate_json(body)
    except ValidationError as error:
        raise invalid_body(error) from None
    return request_of(request, pictures)


def refuse_unsupported(
    request: BaseModel, unsupported: Mapping[str, tuple[Any, ...]], cures: Mapping[str, str]
) -> None:
    """Raise ServiceError 400 for a further field with another value than those that change nothing."""
    given = request.model_extra or {}
    for name, harmless in unsupported.items():
        value = given.get(name)
        if name in CHOICES and given.get(CHOICES[name]) == "none":
            continue  # nothing of it is to be called
        if value is not None and value not in harmless:
            refusal = "must be 1" if name == "n" else "is not supported"
            message = f"{name} {refusal}: {cures.get(name, 'leave it out')}"
            raise ServiceError(400, message, kind="unsupported_parameter", param=name)


def request_of(request: ChatBody, pictures: Pictures) -> CompletionRequest:
    """The request of a body; raises ServiceError 400 for what is not supported."""
    given = request.model_extra or {}
    tool = forced_tool(given.get("tools"), given.get("tool_choice"))
    refuse_unsupported(request, _WITHOUT_TOOLS if tool is not None else _UNSUPPORTED, _CURES)
    schema = tool.schema if tool is not None else _schema(request.response_format)
    stream = bool(request.stream)
    found = conversation(request.messages, pictures)
    return CompletionRequest(
        conversation=found,
        stop=_stop(request.stop),
        tool=tool,
        options=_options(request, found.text, schema),
        model=request.model,
        stream=stream,
        include_usage=stream and request.stream_options is not None and request.stream_options.include_usage,
    )


def _stop(value: str | list[str] | None) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value or []
    if len(texts) > MAX_STOPS or any(len(text) > MAX_STOP for text in texts):
        raise invalid_value(f"stop can be {MAX_STOPS} texts of at most {MAX_STOP} characters", "stop")
    return tuple(filter(None, texts))


def _system(messages: list[Message]) -> str | None:
    texts = []
    for index, message in enumerate(messages):
        if message.role not in {"system", "developer"}:
            continue
        content = message.content or ""
        parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
        if any(part.get("type") == "image_url" for part in parts):
            raise invalid_value("a system message can hold text only", f"messages[{index}].content")
        texts.append(text_of(parts, f"messages[{index}].content"))
    return "\n\n".join(filter(None, texts)) or None


def _options(request: ChatBody, text: str, schema: JSON | None) -> CaptionOptions:
    system = _system(request.messages)
    tokens = request.max_completion_tokens
    try:
        return CaptionOptions(
            # Braces of clients are text, not variables, and their texts are not names in our library.
            prompt=f"text:{escape(text)}" if text and text != DEFAULT_PROMPT else None,
            system_prompt=escape(system) if system else None,
            json_schema=schema,
            max_tokens=tokens if tokens is not None else request.max_tokens,
            temperature=request.temperature,
            top_p=request.top_p,
            seed=None if request.seed == RANDOM_SEED else request.seed,
        )
    except ValidationError as error:
        raise invalid_body(error) from None


def _schema(format_: JSON | None) -> JSON | None:
    kind = format_.get("type") if format_ is not None else "text"
    if format_ is None or kind == "text":
        return None
    if kind == "json_object":
        return {"type": "object"}
    if kind != "json_schema":
        raise invalid_value(
            f"response_format of type {str(kind)[:100]!r} is not supported: use json_schema or json_object",
            "response_format",
        )
    json_schema = format_.get("json_schema")
    schema = json_schema.get("schema") if isinstance(json_schema, dict) else None
    if not isinstance(schema, dict):
        raise invalid_value("response_format.json_schema needs a schema", "response_format")
    return schema


def invalid_body(error: ValidationError) -> ServiceError:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    return ServiceError(400, field_message(where, first), kind="invalid_value", param=where or None)
