"""Replies of OpenAI's chat completions, and what other services make of them.

API: https://platform.openai.com/docs/api-reference/chat/object
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from cutline.captioners.hosted.endpoint import Answer
from cutline.errors import ReplyError, Retryable
from cutline.formatting import one_line
from cutline.prompts.reply_forms import FinishKind, finish_kind
from cutline.records import JSON, Reply, Usage

_REASONING_FIELDS = ("reasoning_content", "reasoning", "reasoning_details", "thinking", "thoughts")
_FINISH_FIELDS = ("finish_reason", "native_finish_reason", "stop_reason")
_ERROR_FIELDS = ("error", "errors", "detail", "message", "msg")
REFUSED = "the model refused: "
"""Begins the message of a failure that has a model's own words for why it declines."""
_TEXT_PARTS = frozenset({"text", "output_text", "final"})


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
    kind = finish_kind(finish or "")
    if kind == "broken":
        raise Retryable(
            "endpoint", f"the endpoint ended the answer before it was complete ({one_line(str(finish), 40)})"
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


def error_within(answer: Answer, payload: Any) -> Answer | None:
    """The error response inside a response of status 200, as gateways send it; else None."""
    if not isinstance(payload, dict):
        return None
    if choices := payload.get("choices"):  # OpenRouter: its provider broke down half way
        first = choices[0] if isinstance(choices, list) else None
        if not (isinstance(first, dict) and isinstance(first.get("error"), dict)):
            return None
        payload = {"error": first["error"]}
    error = next((payload[name] for name in _ERROR_FIELDS if _is_error(name, payload.get(name))), None)
    if error is None:
        return None
    holders = (error, payload) if isinstance(error, dict) else (payload,)
    codes = (holder.get(name) for holder in holders for name in ("code", "status", "status_code"))
    numbers = (int(code) for code in map(str, codes) if code.isdecimal() and len(code) == 3)
    status = next((number for number in numbers if 400 <= number < 600), 502)
    return Answer(status, answer.headers, orjson.dumps(payload))


def _is_error(name: str, value: Any) -> bool:
    """Whether a field describes an error; Ollama's own API has an object in ``message``."""
    return bool(value) and not (name in {"message", "msg"} and not isinstance(value, str))


def _message_of(choice: JSON) -> JSON:
    """The message of a choice, also of a whole one in the form of a part, or of plain completions."""
    message = choice.get("message") or choice.get("delta")
    return dict(message) if message else {"content": choice["text"]}


def _unlike(payload: JSON) -> str:
    """What an answer is that is not a chat completion."""
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
    """Why the answer is not a caption, if it is none."""
    if refusal := _refusal_of(message):
        return ReplyError("refused", f"{REFUSED}{refusal}")
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
