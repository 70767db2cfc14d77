"""The same model for clients of OpenAI's API: chat completions about one picture, and the list of models.

API: https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import re
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any, Final

import orjson
from fastapi import APIRouter, HTTPException, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from cutline.errors import ConfigError, RunStopped
from cutline.records import JSON, Caption, Failure, Outcome, Reply, Usage
from cutline.service.caption_options import CaptionOptions
from cutline.service.captioning_service import CaptioningService
from cutline.service.errors import Refusal, in_openais_words, model_unusable, shown_model
from cutline.service.http.bodies import check_values
from cutline.service.http.disconnect import while_connected
from cutline.service.http.openapi import inlined
from cutline.service.http.responses import error_of, kind_of
from cutline.service.request_errors import without_options
from cutline.service.routes.completion_request import Asked, ChatRequest, read_request

router = APIRouter(prefix="/v1", tags=["openai"])

_log = logging.getLogger("cutline.service")

_QUIET_SECONDS: Final = 10.0  # after which a stream begins, or gives a sign of life
_BIG: Final = 200_000  # bytes; reading more is left to a thread
_SINCE: Final = int(time.time())
_WORDS: Final = re.compile(r"\s*\S+\s*")
_BAD_REQUEST: Final = {
    "missing": "missing",
    "fetch": "fetch",
    "unsupported": "unsupported",
    "decode": "decode",
    "prompt-too-long": "context_length_exceeded",
}
"""Kinds of failure for which these clients expect status 400, and the code that they know."""
_BODY: JSON = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": inlined(ChatRequest)}},
    }
}
_FAILED: dict[int | str, dict[str, Any]] = {
    400: {"description": "What is asked for cannot be done, or the picture cannot be used"},
    404: {"description": "There is no such model here"},
    413: {"description": "The picture is too large"},
    422: {"description": "The model gave no answer that can be used"},
    503: {"description": "The model cannot be asked now"},
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What the model said, in the terms of a chat completion."""

    id: str
    created: int
    model: str
    text: str
    finish: str
    usage: Usage

    def head(self, kind: str) -> JSON:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}

    def counted(self) -> JSON:
        prompt, completion = self.usage.prompt_tokens, self.usage.completion_tokens
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }

    def whole(self) -> JSON:
        message = {"role": "assistant", "content": self.text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish}
        return {**self.head("chat.completion"), "choices": [choice], "usage": self.counted()}


@router.post("/chat/completions", openapi_extra=_BODY, responses=_FAILED)
async def chat_completions(request: Request) -> Response:
    """What the model says about the picture of the last user message.

    Earlier turns are not read: each request stands for itself. With ``stream`` the answer comes in
    pieces, once it is known; until then comments show that it is worked on, and what fails after the first
    of them is an event with ``error``.
    """
    desk: CaptioningService = request.app.state.desk
    asked = await _read(request)
    if asked.model not in _names_of(desk):
        raise _no_model(asked.model, desk)
    answering = _completed(asked, desk)
    if not asked.stream:
        return JSONResponse((await while_connected(request, answering)).whole())
    working = asyncio.create_task(answering)
    try:
        await while_connected(request, _a_while(working))
    except BaseException:
        working.cancel()
        raise
    # What has failed by now is told by its status.
    chunks = _awaited(working, asked) if not working.done() else _chunks(working.result(), asked)
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(chunks, media_type="text/event-stream", headers=headers)


@router.get("/models")
async def models(request: Request) -> JSON:
    """The model that answers here."""
    return {"object": "list", "data": [_described(request.app.state.desk)]}


@router.get("/models/{model:path}", responses={404: _FAILED[404]})
async def model_of_that_name(request: Request, model: str) -> JSON:
    """The model, if it is the one that answers here."""
    desk: CaptioningService = request.app.state.desk
    if model not in _names_of(desk):
        raise _no_model(model, desk)
    return _described(desk)


async def _read(request: Request) -> Asked:
    body, state = await request.body(), request.app.state
    check_values(body, state.settings.max_pictures)
    if len(body) < _BIG:
        return read_request(body, state.pictures)
    return await asyncio.to_thread(read_request, body, state.pictures)


async def _completed(asked: Asked, desk: CaptioningService) -> Completion:
    """What the model says; raises HTTPException for what it cannot, and RunStopped."""
    try:
        outcome = await _outcome(asked, desk)
    except ConfigError as error:
        raise Refusal(400, without_options(str(error)), code="invalid_value") from None
    return _completion(outcome, desk, asked)


async def _outcome(asked: Asked, desk: CaptioningService) -> Outcome:
    wish = _honoured(asked.wish, desk)
    outcome = await desk.caption(asked.sample, wish)
    if isinstance(outcome, Failure) and outcome.kind == "prompt-too-long" and wish.max_tokens is not None:
        # A limit is no demand: a model without room for so many is left to say what it can.
        outcome = await desk.caption(asked.sample, wish.model_copy(update={"max_tokens": None}))
    desk.note(outcome)
    return outcome


def name_of(desk: CaptioningService) -> str:
    return shown_model(desk.model)


def _names_of(desk: CaptioningService) -> frozenset[str]:
    """Whatever clients may call the model; the name without its provider too."""
    return frozenset((name_of(desk), desk.model, desk.model.partition(":")[2] or desk.model))


def _honoured(wish: CaptionOptions, desk: CaptioningService) -> CaptionOptions:
    """Without what OpenAI's clients always send, where the model has no use for it."""
    if desk.ignores(wish):
        wish = wish.model_copy(update={"prompt": None})
    if not desk.captioner.profile.parameters:
        return wish.model_copy(update=dict.fromkeys(wish.parameters))
    return wish


def _described(desk: CaptioningService) -> JSON:
    return {"id": name_of(desk), "object": "model", "created": _SINCE, "owned_by": "cutline"}


def _no_model(name: str, desk: CaptioningService) -> Refusal:
    return Refusal(
        404,
        f"the model {name[:200]!r} does not exist here: ask for {name_of(desk)!r}",
        code="model_not_found",
        param="model",
    )


def _completion(outcome: Outcome, desk: CaptioningService, asked: Asked) -> Completion:
    """The model's words as they are, so that its client can judge them; but JSON that was asked for is valid.

    Raises:
        HTTPException: there is no answer, or it is not the JSON that it had to be.
    """
    reply = _reply_of(outcome)
    if reply is None or (asked.wish.json_schema is not None and _is_wrong(outcome)):
        raise _failed(outcome)
    fields = outcome.fields if isinstance(outcome, Caption) else None
    return Completion(
        id=f"chatcmpl-{secrets.token_hex(12)}",
        created=int(time.time()),
        model=name_of(desk),
        text=reply.text if fields is None else orjson.dumps(fields).decode(),
        finish=reply.finish_reason or "stop",
        usage=reply.usage,
    )


def _reply_of(outcome: Outcome) -> Reply | None:
    if isinstance(outcome, Caption):
        return outcome.steps[-1].reply if outcome.steps else None
    return outcome.reply if isinstance(outcome, Failure) else None


def _is_wrong(outcome: Outcome) -> bool:
    """Whether an answer that had to be JSON is none; one that was cut says so by its finish_reason."""
    return isinstance(outcome, Failure) and outcome.kind not in {"truncated", "refused"}


def _failed(outcome: Outcome) -> HTTPException:
    """The failure as OpenAI's clients read it: pictures that cannot be used are bad requests."""
    assert not isinstance(outcome, Caption)
    error = error_of(outcome)
    kind = kind_of(outcome)
    return Refusal(
        400 if kind in _BAD_REQUEST else error.status_code,
        error.detail,
        code=_BAD_REQUEST.get(kind, kind),
        headers=dict(error.headers) if error.headers else None,
    )


async def _a_while(working: asyncio.Task[Completion]) -> None:
    await asyncio.wait([working], timeout=_QUIET_SECONDS)


async def _awaited(working: asyncio.Task[Completion], asked: Asked) -> AsyncIterator[bytes]:
    """The answer when it is known; until then signs of life, that nobody on the way cuts the connection."""
    try:
        while not working.done():
            yield b": still at work\n\n"
            await _a_while(working)
        try:
            said = working.result()
        except HTTPException as error:
            yield _event(in_openais_words(error))
        except RunStopped as error:
            _log.error("model unusable cause=%s", error)
            yield _event(in_openais_words(model_unusable()))
        except Exception:  # noqa: BLE001 - the last place that can say so in our own words
            _log.exception("unexpected while streaming")
            yield _event(in_openais_words(HTTPException(500, "internal error")))
        else:
            async for chunk in _chunks(said, asked):
                yield chunk
    finally:
        working.cancel()  # whoever asked has gone


async def _chunks(said: Completion, asked: Asked) -> AsyncIterator[bytes]:
    """The answer as server-sent events, a few words each."""
    head = said.head("chat.completion.chunk") | ({"usage": None} if asked.include_usage else {})

    def event(delta: JSON, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _event({**head, "choices": [choice]})

    yield event({"role": "assistant", "content": ""})
    for piece in _WORDS.findall(said.text):
        yield event({"content": piece})
    yield event({}, said.finish)
    if asked.include_usage:
        yield _event({**head, "choices": [], "usage": said.counted()})
    yield b"data: [DONE]\n\n"


def _event(data: JSON) -> bytes:
    return b"data: " + orjson.dumps(data) + b"\n\n"
