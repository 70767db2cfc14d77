"""OpenAI's API: chat completions about one picture, and the list of models.

API: https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import asyncio
import functools
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from cutline.captioners.hosted.chat_replies import REFUSED
from cutline.errors import ConfigError
from cutline.prompts.replies import without_reasoning
from cutline.prompts.reply_forms import finish_kind
from cutline.prompts.structured import find_object
from cutline.records import JSON, Caption, Failure, Outcome
from cutline.service.caption_options import CaptionOptions
from cutline.service.captioning_service import CaptioningService
from cutline.service.errors import ServiceError, with_field_names
from cutline.service.http.bodies import json_body
from cutline.service.http.openapi import inlined
from cutline.service.http.responses import json_response, openai_error, service_error
from cutline.service.results import failure_error, failure_kind, failure_message, public_model_name
from cutline.service.routes.captions import LARGE, while_connected
from cutline.service.routes.completion import Completion, chunks_of, event_of
from cutline.service.routes.completion_request import ChatBody, CompletionRequest, parse_request
from cutline.slots import waiting_caller

router = APIRouter(prefix="/v1", tags=["openai"])

_log = logging.getLogger("cutline.service")

_KEEPALIVE_SECONDS: Final = 10.0  # after which a stream begins, and between its comments
_CREATED: Final = int(time.time())
_BAD_REQUEST_CODES: Final = {
    "missing": "missing",
    "fetch": "fetch",
    "unsupported": "unsupported",
    "decode": "decode",
    "prompt-too-long": "context_length_exceeded",
}
"""Kinds of failure for which these clients expect status 400, with the code that they know."""
_FINISH_REASONS: Final[Mapping[str, str]] = {"truncated": "length", "refused": "content_filter"}
_BODY: Final = {"required": True, "content": {"application/json": {"schema": inlined(ChatBody)}}}
_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The request is not supported, or the picture cannot be used"},
    404: {"description": "There is no such model"},
    413: {"description": "The picture is too large"},
    422: {"description": "The model returned no usable response"},
    503: {"description": "The model is not available now"},
}


@router.post(
    "/chat/completions",
    openapi_extra={"requestBody": _BODY},
    responses=_ERRORS,
)
async def chat_completions(request: Request) -> Response:
    """The model's reply to the last user message and its picture.

    A message without a picture is about the last one sent. With ``stream`` the reply comes in
    pieces once it is complete; until then there are comments, and an error after the first of them is an
    event with ``error``.
    """
    service: CaptioningService = request.app.state.service
    parsed = await _parse(request)
    check_model(parsed.model, service)
    work = complete(parsed, service)
    if parsed.stream:
        chunks = functools.partial(chunks_of, include_usage=parsed.include_usage)
        return await streamed(request, work, chunks)
    return json_response((await while_connected(request, work)).to_json())


async def streamed(
    request: Request,
    work: Coroutine[Any, Any, Completion],
    chunks: Callable[[Completion], AsyncIterator[bytes]],
) -> Response:
    """A stream of ``chunks`` of the completion; what fails before the first of them gets its status."""
    task = asyncio.create_task(work)
    try:
        await while_connected(request, asyncio.wait([task], timeout=_KEEPALIVE_SECONDS))
    except BaseException:
        task.cancel()
        raise
    events = chunks(task.result()) if task.done() else _delayed_chunks(task, chunks)
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


@router.get("/models")
async def models(request: Request) -> JSON:
    """The model of this service under its name and its aliases."""
    return {"object": "list", "data": offered_models(request.app.state.service)}


def offered_models(service: CaptioningService) -> list[JSON]:
    """The model under each of its names, as OpenAI's clients read it."""
    return [_model_json(name) for name in (_model_name(service), *service.aliases)]


@router.get("/models/{model:path}", responses={404: _ERRORS[404]})
async def model_of_that_name(request: Request, model: str) -> JSON:
    """The model of this service, if it has that name."""
    service: CaptioningService = request.app.state.service
    check_model(model, service)
    return _model_json(model if model in service.aliases else _model_name(service))


async def _parse(request: Request) -> CompletionRequest:
    body, state = await json_body(request), request.app.state
    if len(body) < LARGE:
        return parse_request(body, state.pictures)
    return await asyncio.to_thread(parse_request, body, state.pictures)


async def complete(request: CompletionRequest, service: CaptioningService) -> Completion:
    """The model's reply; raises ServiceError if there is none, and RunStopped."""
    try:
        await service.check_schema(request.options)
        options = _supported(request.options, service)
        conversation = request.conversation
        with waiting_caller():
            outcome = await service.caption(conversation.sample, options, conversation)
    except ConfigError as error:
        raise ServiceError(400, with_field_names(str(error)), kind="invalid_value") from None
    service.record(outcome)
    return _completion(outcome, service, request)


def _model_name(service: CaptioningService) -> str:
    return public_model_name(service.captioner.name)


def _model_names(service: CaptioningService) -> frozenset[str]:
    """All names by which clients may call the model; also without its provider."""
    name = service.captioner.name
    return frozenset((_model_name(service), name, name.partition(":")[2] or name, *service.aliases))


def _supported(options: CaptionOptions, service: CaptioningService) -> CaptionOptions:
    """The options without those that OpenAI's clients always send and the model does not support."""
    if service.ignores(options):
        options = options.model_copy(update={"prompt": None})
    if not service.captioner.profile.instructable:
        options = options.model_copy(update={"system_prompt": None})
    if not service.captioner.profile.parameters:
        return options.model_copy(update=dict.fromkeys(options.parameters))
    return options


def _model_json(name: str) -> JSON:
    return {"id": name, "object": "model", "created": _CREATED, "owned_by": "cutline"}


def check_model(name: str, service: CaptioningService) -> None:
    """Raises ServiceError 404 for another model than that of this service."""
    if name in _model_names(service):
        return
    message = f"the model {name[:200]!r} does not exist: use {_model_name(service)!r}"
    raise ServiceError(404, message, kind="model_not_found", param="model")


def _completion(outcome: Outcome, service: CaptioningService, request: CompletionRequest) -> Completion:
    """The model's reply; raises ServiceError if there is none, or it is not the JSON that was requested."""
    if isinstance(outcome, Caption):
        reply, is_wrong = outcome.steps[-1].reply if outcome.steps else None, False
    else:
        reply = outcome.reply if isinstance(outcome, Failure) else None
        # A reply that was cut has a finish_reason for it.
        is_wrong = isinstance(outcome, Failure) and outcome.kind not in {"truncated", "refused"}
    schema = request.options.json_schema
    fields = outcome.fields if isinstance(outcome, Caption) else None
    if reply is not None and schema is not None and is_wrong:
        # Typed clients also read objects of numbers and lists, in which there is no caption.
        fields = find_object(without_reasoning(reply.text), schema)
    if reply is None or (schema is not None and is_wrong and fields is None):
        raise _failure_error(outcome)
    refusal = ""
    if isinstance(outcome, Failure) and outcome.kind == "refused" and not reply.text:
        refusal = failure_message(outcome).removeprefix(REFUSED)
    text, is_cut = _stopped(reply.text if fields is None else orjson.dumps(fields).decode(), request.stop)
    return Completion(
        id=f"chatcmpl-{secrets.token_hex(12)}",
        created=int(time.time()),
        model=_model_name(service),
        text=text,
        finish_reason="stop" if is_cut else _finish_reason(reply.finish_reason),
        usage=reply.usage,
        tool=None if refusal else request.tool,
        refusal=refusal,
    )


def _stopped(text: str, stop: tuple[str, ...]) -> tuple[str, bool]:
    """The text up to the first of the stop sequences, and whether it has one.

    Cut here, not at the model: only some models can stop at a text.
    """
    end = min((place for one in stop if (place := text.find(one)) >= 0), default=None)
    return (text, False) if end is None else (text[:end], True)


def _finish_reason(reason: str | None) -> str:
    """In the words that typed clients parse: others name their own, such as ``MAX_TOKENS``."""
    return _FINISH_REASONS.get(finish_kind(reason or ""), "stop")


def _failure_error(outcome: Outcome) -> ServiceError:
    """The failure as OpenAI's clients expect it: a picture that cannot be used is a bad request."""
    assert not isinstance(outcome, Caption)
    error, kind = failure_error(outcome), failure_kind(outcome)
    status = 400 if kind in _BAD_REQUEST_CODES else error.status
    return ServiceError(status, error.message, kind=_BAD_REQUEST_CODES.get(kind, kind), headers=error.headers)


async def _delayed_chunks(
    task: asyncio.Task[Completion], chunks: Callable[[Completion], AsyncIterator[bytes]]
) -> AsyncIterator[bytes]:
    """The reply when it is complete; until then comments, so that no proxy cuts a silent connection."""
    try:
        while not task.done():
            yield b": still at work\n\n"
            await asyncio.wait([task], timeout=_KEEPALIVE_SECONDS)
        try:
            completion = task.result()
        except Exception as error:  # noqa: BLE001 - too late for a status
            found = service_error(error)
            if found.status == 500:
                _log.exception("unexpected error while streaming")
            yield event_of(openai_error(found))
        else:
            async for chunk in chunks(completion):
                yield chunk
    finally:
        task.cancel()  # the client has disconnected
