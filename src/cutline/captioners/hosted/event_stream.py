"""Replies that come in parts, although none were requested.

As server-sent events, https://html.spec.whatwg.org/multipage/server-sent-events.html, or as JSON on lines;
in parts of OpenAI's form, or of Ollama's: https://docs.ollama.com/api/chat.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import orjson

from cutline.records import JSON

_OWN: Final = frozenset({"choices", "message", "response", "done", "done_reason"})
_FIELDS: Final = (b"data:", b":", b"event:", b"id:", b"retry:")  # with which no JSON begins


def is_stream(content_type: str, content: bytes) -> bool:
    """Whether a body holds several parts."""
    if content_type.startswith("text/event-stream") or content.lstrip().startswith(_FIELDS):
        return True
    first, _, rest = content.strip().partition(b"\n")
    if not (first.startswith(b"{") and rest.lstrip().startswith(b"{")):
        return False
    try:
        return isinstance(orjson.loads(first), dict)
    except orjson.JSONDecodeError:
        return False


def whole_completion(content: bytes) -> JSON:
    """The chat completion that the chunks of a stream add up to; a chunk with an error as it is.

    Raises:
        ValueError: a chunk is not JSON, or the stream was cut before its end.
    """
    whole: JSON = {}
    text, finish, ended = [], None, False
    for event, data in _parts(content):
        if data == b"[DONE]":
            ended = True
            break
        chunk = orjson.loads(data)
        if not isinstance(chunk, dict):
            raise ValueError("a chunk is not an object")  # noqa: TRY004 - of the content
        if "error" in chunk or event == b"error":
            return chunk if "error" in chunk else {"error": chunk}
        whole |= {name: value for name, value in chunk.items() if name not in _OWN and value is not None}
        if "done" in chunk:
            text.append(_text_of(chunk.get("message") or {"content": chunk.get("response")}))
            finish = (chunk.get("done_reason") or "stop") if chunk["done"] else finish
            whole |= {"usage": _usage(chunk)} if chunk["done"] else {}
        for choice in chunk.get("choices") or []:
            text.append(_text_of(choice.get("delta") or choice.get("message")))
            finish = choice.get("finish_reason") or finish
    if not ended and finish is None:
        raise ValueError("the stream was cut")
    message = {"role": "assistant", "content": "".join(text)}
    return {**whole, "choices": [{"index": 0, "message": message, "finish_reason": finish}]}


def _text_of(message: Any) -> str:
    part = message.get("content") if isinstance(message, dict) else None
    return part if isinstance(part, str) else ""


def _usage(chunk: JSON) -> JSON:
    """The counts of Ollama's last part by OpenAI's names."""
    return {
        "prompt_tokens": chunk.get("prompt_eval_count"),
        "completion_tokens": chunk.get("eval_count"),
    }


def _parts(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The type and the data of each part; JSON on lines has no types."""
    if not content.lstrip().startswith(b"{"):
        return _events(content)
    return ((b"", line) for line in content.splitlines() if line.strip())


def _events(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The type and the data of each event; its lines are joined."""
    kind, lines = b"", []
    for line in (*content.splitlines(), b""):
        field, _, value = line.partition(b":")
        if field == b"data":
            lines.append(value.removeprefix(b" "))
        elif field == b"event":
            kind = value.strip()
        elif not line:
            if lines:
                yield kind, b"\n".join(lines)
            kind, lines = b"", []
