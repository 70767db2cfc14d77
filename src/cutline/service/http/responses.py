"""From outcomes to what clients are told: bodies, and the status that fits."""

from __future__ import annotations

from typing import Final

from fastapi import HTTPException

from cutline.records import JSON, Caption, Failure, Outcome, Skip, Step
from cutline.service.errors import Refusal, shown_model, without_places
from cutline.service.request_errors import without_options

_STATUS: Final = {
    "missing": 404,
    "too-large": 413,
    "unsupported": 415,
    "decode": 415,
    "not-a-file": 415,
    "blocked-path": 403,
    "rate-limit": 503,
    "connection": 503,
    "endpoint": 503,
    "unreachable": 503,
    "timeout": 503,
    "overloaded": 503,
    "malformed": 503,
    "captioner": 500,
    "out-of-memory": 503,
}
"""HTTP status by kind of failure; what is not named is the picture's or the prompt's fault: 422."""

_NOT_FETCHED: Final = (
    "no picture could be had: a URL must be an http or https address, which is open to this service (the "
    "public internet, unless its operator allows more) and answers with one, soon and without a password"
)
_EMPTY: Final = "the file is empty"
_PLAIN: Final = {
    "missing": "there is no such picture",
    "too-large": "the picture is too large",
    "unsupported": "this is no picture of a known format",
    "decode": "the picture is damaged",
    "captioner": "the model failed on this picture",
    "check": "a check of the caption failed",
    "rejected": "the model's server refused this request",
    "rate-limit": "the model's server takes no more requests now",
    "connection": "the model cannot be asked now",
    "endpoint": "the model cannot be asked now",
    "unreachable": "the model cannot be asked now",
    "malformed": "the model gave no valid answer",
    "timeout": "the model had no time for this picture",
    "fetch": _NOT_FETCHED,
    "blocked-address": _NOT_FETCHED,
}
"""What is said instead of a message that could hold a path or an address, or tell what there is behind us."""


def body_of(name: str, outcome: Outcome) -> JSON:
    """One picture's part of an answer: its caption, or ``error`` with the kind of failure."""
    if isinstance(outcome, Caption):
        step = outcome.source
        body: JSON = {"image_path": name, "caption": outcome.text}
        if outcome.fields is not None:
            body["fields"] = outcome.fields
        if step is not None:
            usage = outcome.usage
            body |= {
                "model": shown_model(step.reply.model),
                "prompt_id": step.prompt_id,
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "seconds": round(sum(one.reply.seconds for one in outcome.steps), 4),
            }
        if outcome.step:  # it came through a chain
            body["steps"] = [_step_of(one) for one in outcome.steps]
            if outcome.missing_steps:
                body["missing_steps"] = dict(outcome.missing_steps)
        return body
    return {"image_path": name, "caption": None, "error": said_of(outcome), "kind": kind_of(outcome)}


def kind_of(outcome: Skip | Failure) -> str:
    """The kind of failure that clients are told."""
    kind = outcome.kind if isinstance(outcome, Failure) else "skipped"
    # As for a host that is not there: who asks cannot map our network.
    return "fetch" if kind == "blocked-address" else kind


def _step_of(step: Step) -> JSON:
    """What one step of a chain said."""
    told: JSON = {"name": step.name, "text": step.text, "model": shown_model(step.reply.model)}
    return told | {"fields": step.fields} if step.fields is not None else told


def said_of(outcome: Skip | Failure) -> str:
    """What a client may know of a failure: no path, no trace."""
    if isinstance(outcome, Skip):
        return outcome.reason
    if outcome.kind == "decode" and outcome.message.endswith(_EMPTY):
        return _EMPTY
    return _PLAIN.get(outcome.kind) or without_options(without_places(outcome.message))


def error_of(outcome: Skip | Failure) -> HTTPException:
    """The failure of the only picture of a request."""
    kind = outcome.kind if isinstance(outcome, Failure) else ""
    status = _STATUS.get(kind, 422)
    headers = {"Retry-After": "5"} if status == 503 else None
    return Refusal(status, said_of(outcome), code=kind_of(outcome), headers=headers)
