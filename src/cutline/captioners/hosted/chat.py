"""Requests and replies of OpenAI's chat completions.

API: https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

import abc
import copy
import dataclasses
import secrets
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Self

import orjson
import pybase64

from cutline.captioners.hosted.endpoint import Endpoint
from cutline.captioners.hosted.image_fit import ImageFit
from cutline.captioners.hosted.presets import Parameters, Preset
from cutline.errors import ReplyError, Retryable
from cutline.formatting import one_line
from cutline.imaging import Limits, Picture
from cutline.interfaces import Captioner, Profile
from cutline.parameters import Parameter
from cutline.prompts import Prompt, Turn
from cutline.prompts.reply_forms import FinishKind, finish_kind
from cutline.records import JSON, Reply, Usage

_REASONING_FIELDS = ("reasoning_content", "reasoning", "reasoning_details", "thinking", "thoughts")
_FINISH_FIELDS = ("finish_reason", "native_finish_reason", "stop_reason")
SCHEMA_SETTINGS = ("response_format", "guided_json", "structured_outputs")
_TEXT_PARTS = frozenset({"text", "output_text", "final"})


class Template:
    """The request for one prompt, encoded but for the picture: putting that in copies bytes only once.

    ``make`` gives the request with a mark where the picture's URL goes.
    """

    def __init__(self, prompt: Prompt, make: Callable[[Prompt, str], JSON]) -> None:
        self.prompt = prompt
        mark = secrets.token_hex(16)  # stands for the picture; no metadata can guess it
        self._head, self._tail = orjson.dumps(make(prompt, mark)).split(mark.encode())

    def with_picture(self, mime: str, encoded: bytes) -> bytes:
        """The request as it is sent; ``encoded`` is the picture in base64."""
        return b"".join((self._head, f"data:{mime};base64,".encode(), encoded, self._tail))

    def with_url(self, url: bytes) -> bytes:
        """The request with an address, or anything that needs no escaping in JSON, for the picture."""
        return b"".join((self._head, url, self._tail))


class Templates:
    """The templates of the most recent prompts."""

    def __init__(self, make: Callable[[Prompt, str], JSON]) -> None:
        self._make = make
        self._known: dict[int, Template] = {}

    def of(self, prompt: Prompt) -> Template:
        known = self._known.get(id(prompt))
        if known is not None and known.prompt is prompt:
            return known
        template = Template(prompt, self._make)
        if prompt.turns:  # of one request, with its pictures
            return template
        if len(self._known) >= 64:  # prompts with variables are all different; keep few
            self._known.clear()
        self._known[id(prompt)] = template
        return template


class ChatCaptioner(Captioner):
    """What hosted captioners share; subclasses add ``_body`` and ``caption``."""

    def __init__(
        self,
        name: str,
        endpoint: Endpoint,
        *,
        supported: tuple[Parameter, ...],
        parameters: Parameters,
        limits: Limits,
    ) -> None:
        self.name = name
        self.profile = Profile(parameters=supported)
        self.endpoint = endpoint
        self._parameters = parameters
        self._fitting = ImageFit(limits)
        self._templates = Templates(self._body)

    @property
    def limit_key(self) -> Hashable:
        return self.endpoint.limit_key

    def adjusted(self, parameters: Mapping[str, Any]) -> Self:
        """The same model over the same connections, with other parameters."""
        other = copy.copy(self)
        other._parameters = dataclasses.replace(self._parameters, **parameters)  # noqa: SLF001 - a copy
        other._templates = Templates(other._body)  # noqa: SLF001 - a copy
        return other

    def check_prompt(self, prompt: Prompt) -> None:
        """Every one is sent; what the model cannot take its endpoint refuses."""

    async def prepare(self, picture: Picture) -> None:
        """Read and encode the picture."""
        await self._fitting.prepare(picture)

    async def aclose(self) -> None:
        await self.endpoint.aclose()

    def body(self, prompt: Prompt, image_url: str) -> JSON:
        """The request for one picture, as the endpoint will parse it."""
        data: JSON = orjson.loads(self._templates.of(prompt).with_url(image_url.encode()))
        return data

    @abc.abstractmethod
    def _body(self, prompt: Prompt, mark: str) -> JSON:
        """The request for ``prompt``, with ``mark`` where the picture's URL goes."""


def request_body(prompt: Prompt, preset: Preset, model: str, parameters: Parameters, mark: str) -> JSON:
    """The chat completion request for ``prompt``, with ``mark`` where the picture's data URL goes."""
    messages: list[JSON] = [
        {"role": turn.role, "content": _content(turn, mark)} for turn in prompt.messages()
    ]
    system = prompt.system
    if prompt.schema is not None and not (preset.enforces_schema and preset.schema != "none"):
        system = f"{system}\n\n{prompt.schema_instruction()}".strip()
    if system:
        messages.insert(0, {"role": "system", "content": system})
    body: JSON = {"model": model, "messages": messages, "stream": False}
    body |= sampling(parameters, tokens=preset.tokens)
    if prompt.schema is not None:
        body |= _schema_setting(preset.schema, prompt.schema)
    return body | dict(parameters.extra)


def _content(turn: Turn, mark: str) -> str | list[JSON]:
    """A message's parts; without a picture one text, as some servers take no parts then."""
    content: list[JSON] = []
    for part in turn.parts:
        if part.kind == "text":
            content.append({"type": "text", "text": part.text})
        elif part.kind == "example" and part.example is not None:
            url = f"data:{part.example.mime};base64,{pybase64.b64encode(part.example.image).decode()}"
            content.append({"type": "image_url", "image_url": {"url": url}})
        else:
            content.append({"type": "image_url", "image_url": {"url": mark}})
    if all(part["type"] == "text" for part in content):
        return "\n\n".join(part["text"] for part in content)
    return content


def sampling(parameters: Parameters, *, tokens: str) -> JSON:
    """Those of the usual parameters that are set; ``tokens`` is the name of the most tokens of a reply."""
    values = {
        tokens: parameters.max_tokens,
        "temperature": parameters.temperature,
        "top_p": parameters.top_p,
        "seed": parameters.seed,
    }
    return {name: value for name, value in values.items() if value is not None}


def _schema_setting(dialect: str, schema: JSON) -> JSON:
    """One setting of ours in each server's words."""
    settings: dict[str, JSON] = {
        "response_format": {
            "response_format": {"type": "json_schema", "json_schema": {"name": "caption", "schema": schema}}
        },
        "guided_json": {"guided_json": schema},
        "structured_outputs": {"structured_outputs": {"json": schema}},
        "none": {},
    }
    return settings[dialect]


def read_reply(payload: JSON, *, model: str, seconds: float) -> Reply:
    """The reply within a chat completion.

    Raises:
        ReplyError: there is an answer, but no caption in it (``refused``, ``truncated``, …).
        Retryable: the body is not a chat completion.
    """
    try:
        choice = payload["choices"][0]
        message = _message_of(choice)
        text = _text_of(message.get("content"))
        usage = _usage(payload.get("usage"))
        finish = _finish_reason(choice)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError):
        raise Retryable("malformed", _unlike(payload)) from None
    if isinstance(choice.get("error"), dict):  # OpenRouter: its provider broke down half way
        raise Retryable(
            "endpoint", f"the model's provider failed: {str(choice['error'].get('message'))[:200]}"
        )
    kind = finish_kind(finish or "")
    if kind == "broken":
        raise Retryable(
            "endpoint", f"the endpoint ended the answer before it was whole ({one_line(str(finish), 40)})"
        )
    reply = Reply(
        text=text,
        model=str(payload.get("model") or model),
        usage=usage,
        finish_reason=finish,
        seconds=seconds,
        raw=payload,
    )
    problem = _reply_problem(message, text, kind, finish or "")
    if problem is not None:
        problem.reply = reply
        raise problem
    return reply


def _message_of(choice: JSON) -> JSON:
    """The message of a choice, also of a whole one in the form of a part, or of plain completions."""
    message = choice.get("message") or choice.get("delta")
    return dict(message) if message else {"content": choice["text"]}


def _unlike(payload: JSON) -> str:
    """What an answer is that is no chat completion."""
    if payload.get("choices") == []:
        return "the endpoint's answer is not a chat completion: it holds no choice"
    names = one_line(", ".join(map(str, payload)), 80)
    return (
        f"the endpoint's answer is not a chat completion, it holds {names or 'nothing'}; "
        "is the URL that of an OpenAI-compatible API (most end in /v1)?"
    )


def _finish_reason(choice: Mapping[str, Any]) -> str | None:
    """The reason that says most: gateways put the provider's own beside a general one."""
    reasons = [reason for name in _FINISH_FIELDS if isinstance(reason := choice.get(name), str)]
    if len(reasons) <= 1:
        return reasons[0] if reasons else None
    return next((reason for reason in reasons if finish_kind(reason)), reasons[0])


def _text_of(content: Any) -> str:
    """The words of a message, without the reasoning that may be among its parts."""
    if isinstance(content, list):
        return "".join(map(_text_of, content))
    if isinstance(content, Mapping):
        is_answer = str(content.get("type") or "text") in _TEXT_PARTS
        return _text_of(content.get("text")) if is_answer else ""
    return content if isinstance(content, str) else ""


def _refusal_of(message: JSON) -> str:
    """What a message that declines says, in a field of its own or in a part of its content."""
    parts = message.get("content")
    holders = [message, *(parts if isinstance(parts, list) else ())]
    refusals = [holder.get("refusal") for holder in holders if isinstance(holder, dict)]
    return next((one_line(refusal, 200) for refusal in refusals if refusal), "")


def _reply_problem(message: JSON, text: str, kind: FinishKind, finish: str) -> ReplyError | None:
    """Why the answer is no caption, if it is none."""
    if refusal := _refusal_of(message):
        return ReplyError("refused", f"the model refused: {refusal}")
    if kind == "refused":
        reason = "" if finish == "content_filter" else f" ({one_line(finish, 40)})"
        return ReplyError("refused", f"the endpoint's content filter stopped the answer{reason}")
    if kind == "truncated":
        return ReplyError("truncated", "the answer was cut at the token limit; raise --max-tokens")
    return None if text.strip() else _no_text(message)


def _no_text(message: JSON) -> ReplyError:
    if message.get("tool_calls"):
        return ReplyError("tool-call", "the model answered with a tool call instead of text")
    parts = message.get("content")
    only_reasoned = isinstance(parts, list) and bool(parts)
    if only_reasoned or any(message.get(name) for name in _REASONING_FIELDS):
        return ReplyError("empty", "the model only reasoned and gave no answer; raise --max-tokens")
    return ReplyError("empty", "the model's answer is empty")


def _usage(data: Any) -> Usage:
    """The tokens, where an endpoint counts them; a count that cannot be read loses no caption."""
    if not isinstance(data, dict):
        return Usage()
    return Usage(
        prompt_tokens=_count(data.get("prompt_tokens")),
        completion_tokens=_count(data.get("completion_tokens")),
    )


def _count(value: Any) -> int:
    """So many tokens; a count that no request can have is treated as missing."""
    try:
        count = int(value or 0)
    except (TypeError, ValueError, OverflowError):
        return 0
    return count if 0 <= count < 2**53 else 0
