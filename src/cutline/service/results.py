"""Outcomes as clients get them: the JSON of a picture, and the HTTP status of a failure."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Final

from cutline.formatting import without_signatures
from cutline.records import JSON, Caption, Failure, Outcome, Skip
from cutline.service.errors import ServiceError, with_field_names

_FOLDER: Final = re.compile(r"\b([\w.-]+:)(?!//)(?:\.{1,2}|~)?/\S*/")
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
    "filter": 500,
    "check": 500,
    "out-of-memory": 503,
}
"""HTTP status by kind of failure; for the others the picture or the prompt is at fault: 422."""

_NOT_FETCHED: Final = (
    "the picture could not be fetched: a URL must be an http or https address that this service may reach "
    "(the public internet, unless its operator allows more), and return a picture soon, without a password"
)
_EMPTY: Final = "the file is empty"
_UNAVAILABLE: Final = "the model is not available now"
_MESSAGES: Final = {
    "missing": "there is no such picture",
    "too-large": "the picture is too large",
    "unsupported": "not a picture of a known format",
    "decode": "the picture is damaged",
    "captioner": "the model failed on this picture",
    "shape": "the model cannot take this shape: a side is too short, or far longer than the other",
    "out-of-memory": "there is not enough memory for this picture now",
    "filter": "a filter of pictures failed",
    "check": "a check of the caption failed",
    "text-only": "the model takes no pictures",
    "parameter": "the model's server refused a parameter of this request",
    "rejected": "the model's server refused this request",
    "rate-limit": "the model's server accepts no more requests now",
    "connection": _UNAVAILABLE,
    "endpoint": _UNAVAILABLE,
    "unreachable": _UNAVAILABLE,
    "malformed": "the model returned no valid response",
    "timeout": "the model had no time for this picture",
    "fetch": _NOT_FETCHED,
    "blocked-address": _NOT_FETCHED,
    "bad-url": _NOT_FETCHED,
}
"""In place of messages that could hold a path or an address, or show what network there is behind us."""


def result_json(name: str, outcome: Outcome) -> JSON:
    """One picture's part of a response: its caption, or ``error`` with the kind of failure."""
    name = without_signatures(name)
    if not isinstance(outcome, Caption):
        message, kind = failure_message(outcome), failure_kind(outcome)
        return {"image_path": name, "caption": None, "error": message, "kind": kind}
    result: JSON = {"image_path": name, "caption": outcome.text}
    if outcome.fields is not None:
        result["fields"] = outcome.fields
    if outcome.checks:
        result["checks"] = outcome.checks
    if outcome.source is not None:
        result |= {
            "model": public_model_name(outcome.source.reply.model),
            "prompt_id": outcome.source.prompt_id,
            "prompt_tokens": outcome.usage.prompt_tokens,
            "completion_tokens": outcome.usage.completion_tokens,
            "seconds": round(sum(step.reply.seconds for step in outcome.steps), 4),
        }
    if outcome.step:  # of a chain
        result["steps"] = [
            {"name": step.name, "text": step.text, "model": public_model_name(step.reply.model)}
            | ({"fields": step.fields} if step.fields is not None else {})
            for step in outcome.steps
        ]
        if outcome.missing_steps:
            result["missing_steps"] = dict(outcome.missing_steps)
    return result


def failure_kind(outcome: Skip | Failure) -> str:
    """The public kind: what is not fetched at all looks like an unknown host, to hide the network."""
    kind = outcome.kind if isinstance(outcome, Failure) else "skipped"
    return "fetch" if kind in {"blocked-address", "bad-url"} else kind


def failure_message(outcome: Skip | Failure) -> str:
    """The public message: no path, no traceback."""
    if isinstance(outcome, Skip):
        return outcome.reason
    if outcome.kind == "decode" and outcome.message.endswith(_EMPTY):
        return _EMPTY
    return _MESSAGES.get(outcome.kind) or with_field_names(_FOLDER.sub(r"\1", outcome.message))


def failure_error(outcome: Skip | Failure) -> ServiceError:
    """The failure of the only picture of a request."""
    status = _STATUS.get(outcome.kind, 422) if isinstance(outcome, Failure) else 422
    headers = {"Retry-After": "5"} if status == 503 else None
    return ServiceError(status, failure_message(outcome), kind=failure_kind(outcome), headers=headers)


def public_model_name(name: str) -> str:
    """A model's name for clients: of a path only its last part."""
    provider, colon, rest = name.partition(":")
    if not colon:
        provider, rest = "", name
    return f"{provider}{colon}{PurePath(rest).name}" if rest.startswith((".", "/", "~")) else name
