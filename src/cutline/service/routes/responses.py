"""OpenAI's newer API, responses, as a chat completion in other words.

API: https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
from collections.abc import AsyncIterator
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request
from pydantic import ConfigDict, Field, ValidationError
from starlette.responses import Response

from cutline.parameters import MAX_TOKENS, TEMPERATURE, TOP_P
from cutline.records import JSON
from cutline.service.captioning_service import CaptioningService
from cutline.service.described_model import DescribedModel
from cutline.service.http.bodies import json_body
from cutline.service.http.openapi import inlined
from cutline.service.http.responses import json_response
from cutline.service.pictures import Pictures
from cutline.service.routes.captions import LARGE, while_connected
from cutline.service.routes.completion import Completion, words
from cutline.service.routes.completion_request import (
    ChatBody,
    CompletionRequest,
    MaxTokens,
    invalid_body,
    refuse_unsupported,
    request_of,
)
from cutline.service.routes.completions import check_model, complete, streamed
from cutline.service.routes.messages import invalid_value

router = APIRouter(prefix="/v1", tags=["openai"])

_TEXTS: Final = frozenset({"input_text", "output_text", "text"})
_UNSUPPORTED: Final[dict[str, tuple[Any, ...]]] = {
    "tool_choice": ("none", "auto"),
    "tools": ([],),
    "previous_response_id": (),
    "conversation": (),
    "background": (False,),
    "prompt": (),
}
_CURES: Final = {
    "tools": "send tool_choice 'none', or for JSON use text.format of type json_schema",
    "tool_choice": "send 'none', or for JSON use text.format of type json_schema",
    "previous_response_id": "send the earlier messages in input",
    "conversation": "send the earlier messages in input",
}


class ResponsesBody(DescribedModel):
    """A response about a picture; unknown fields are ignored."""

    model_config = ConfigDict(extra="allow", frozen=True)

    model: str = Field(max_length=1_000)
    """The model, or a chain, that `/v1/models` lists."""
    input: str | list[dict[str, Any]] = Field(max_length=1_000_000_000)
    """A text, or the messages of the conversation with a picture."""
    instructions: str | None = None
    """The system message."""
    max_output_tokens: MaxTokens = Field(None, **MAX_TOKENS.constraints)
    """The longest reply, in tokens."""
    temperature: float | None = Field(None, **TEMPERATURE.constraints)
    """Variety of the replies; 0 for none."""
    top_p: float | None = Field(None, **TOP_P.constraints)
    """Of the likeliest next tokens, those with this probability together are considered."""
    text: dict[str, Any] | None = None
    """`format` of type `json_schema` for a structured reply."""
    stream: bool | None = None
    """Whether the reply comes as events."""


_BODY: Final = {"required": True, "content": {"application/json": {"schema": inlined(ResponsesBody)}}}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModelResponse:
    """A completion in the form of this API."""

    completion: Completion
    id: str
    item_id: str

    @property
    def part(self) -> JSON:
        if self.completion.refusal and not self.completion.text:
            return {"type": "refusal", "refusal": self.completion.refusal}
        return {"type": "output_text", "text": self.completion.text, "annotations": [], "logprobs": []}

    def item(self, status: str, content: list[JSON]) -> JSON:
        return {
            "id": self.item_id,
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": content,
        }

    def to_json(self, *, status: str = "") -> JSON:
        """The whole response, or with ``in_progress`` what is known at the beginning of a stream."""
        completion, is_done = self.completion, not status
        cuts = {"length": "max_output_tokens", "content_filter": "content_filter"}
        reason = cuts.get(completion.finish_reason) if is_done else None
        status = status or ("incomplete" if reason else "completed")
        usage = {
            "input_tokens": completion.usage.prompt_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": completion.usage.completion_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": completion.usage.prompt_tokens + completion.usage.completion_tokens,
        }
        return {
            "id": self.id,
            "object": "response",
            "created_at": completion.created,
            "status": status,
            "error": None,
            "incomplete_details": {"reason": reason} if reason else None,
            "instructions": None,
            "metadata": {},
            "model": completion.model,
            "output": [self.item(status, [self.part])] if is_done else [],
            "parallel_tool_calls": False,
            "temperature": None,
            "tool_choice": "none",
            "tools": [],
            "top_p": None,
            "usage": usage if is_done else None,
        }


@router.post("/responses", openapi_extra={"requestBody": _BODY}, responses={400: {}, 404: {}})
async def create_response(request: Request) -> Response:
    """As a chat completion, with OpenAI's newer fields: ``input``, ``instructions``, ``text.format``."""
    service: CaptioningService = request.app.state.service
    body, state = await json_body(request), request.app.state
    if len(body) < LARGE:
        parsed = _parse(body, state.pictures)
    else:
        parsed = await asyncio.to_thread(_parse, body, state.pictures)
    check_model(parsed.model, service)
    work = complete(parsed, service)
    if parsed.stream:
        return await streamed(request, work, lambda completion: _events(_response(completion)))
    return json_response(_response(await while_connected(request, work)).to_json())


def _response(completion: Completion) -> ModelResponse:
    return ModelResponse(
        completion=completion, id=f"resp_{secrets.token_hex(12)}", item_id=f"msg_{secrets.token_hex(12)}"
    )


def _parse(body: bytes, pictures: Pictures) -> CompletionRequest:
    """The request as that of a chat completion; raises ServiceError 400, naming the field."""
    try:
        request = ResponsesBody.model_validate_json(body)
        refuse_unsupported(request, _UNSUPPORTED, _CURES)
        chat = ChatBody.model_validate(
            {
                "model": request.model,
                "messages": _messages(request),
                "max_tokens": request.max_output_tokens,
                "temperature": request.temperature,
                "top_p": request.top_p,
                "response_format": _response_format(request.text),
                "stream": request.stream,
            }
        )
    except ValidationError as error:
        raise invalid_body(error) from None
    return request_of(chat, pictures)


def _messages(request: ResponsesBody) -> list[JSON]:
    items = request.input
    if isinstance(items, str):
        items = [{"role": "user", "content": items}]
    elif items and all(str(item.get("type")).startswith("input_") for item in items):
        items = [{"role": "user", "content": items}]  # a list of parts
    messages: list[JSON] = []
    for index, item in enumerate(items):
        kind = item.get("type", "message")
        if kind != "message":
            message = f"items of type {str(kind)[:100]!r} are not supported: use messages"
            raise invalid_value(message, f"input[{index}]")
        content = item.get("content")
        if isinstance(content, list):
            content = [_part(part, f"input[{index}].content") for part in content]
        messages.append({"role": item.get("role"), "content": content})
    instructions = [{"role": "system", "content": request.instructions}] if request.instructions else []
    return [*instructions, *messages]


def _part(part: Any, where: str) -> JSON:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind in _TEXTS:
        return {"type": "text", "text": part.get("text")}
    if kind != "input_image":
        raise invalid_value(
            f"parts of type {str(kind)[:100]!r} are not supported: use input_text and input_image", where
        )
    if part.get("image_url") is None:
        raise invalid_value("input_image needs an image_url: there are no files here", where)
    return {"type": "image_url", "image_url": part["image_url"]}


def _response_format(text: JSON | None) -> JSON | None:
    """The format of the text, whose schema stands one level higher than in chat completions."""
    form = (text or {}).get("format")
    if isinstance(form, dict) and form.get("type") == "json_schema" and "json_schema" not in form:
        return {"type": "json_schema", "json_schema": form}
    return form if isinstance(form, dict) else None


async def _events(response: ModelResponse) -> AsyncIterator[bytes]:
    """The events of a stream, as OpenAI's client collects them."""
    place = {"item_id": response.item_id, "output_index": 0, "content_index": 0}
    started = response.to_json(status="in_progress")
    part = response.part
    kind = part["type"]
    field = "refusal" if kind == "refusal" else "text"
    more: JSON = {} if kind == "refusal" else {"logprobs": []}
    final = response.to_json()
    events: list[tuple[str, JSON]] = [
        ("response.created", {"response": started}),
        ("response.in_progress", {"response": started}),
        ("response.output_item.added", {"output_index": 0, "item": response.item("in_progress", [])}),
        ("response.content_part.added", {**place, "part": {**part, field: ""}}),
        *((f"response.{kind}.delta", {**place, "delta": piece, **more}) for piece in words(part[field])),
        (f"response.{kind}.done", {**place, field: part[field], **more}),
        ("response.content_part.done", {**place, "part": part}),
        ("response.output_item.done", {"output_index": 0, "item": final["output"][0]}),
        (f"response.{final['status']}", {"response": final}),
    ]
    for number, (name, data) in enumerate(events):
        event = orjson.dumps({"type": name, "sequence_number": number, **data})
        yield b"event: " + name.encode() + b"\ndata: " + event + b"\n\n"
