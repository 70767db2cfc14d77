"""Replies that come as server-sent events, although none were requested.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from cutline.records import JSON


def is_event_stream(content_type: str, content: bytes) -> bool:
    return content_type.startswith("text/event-stream") or content.lstrip()[:5] == b"data:"


def whole_completion(content: bytes) -> JSON:
    """The chat completion that the chunks of a stream add up to; a chunk with an error as it is.

    Raises:
        ValueError: a chunk is not JSON, or the stream was cut before its end.
    """
    whole: JSON = {}
    text, finish, ended = [], None, False
    for data in _data(content):
        if data == b"[DONE]":
            ended = True
            break
        chunk = orjson.loads(data)
        if not isinstance(chunk, dict):
            raise ValueError("a chunk is not an object")  # noqa: TRY004 - of the content
        if "error" in chunk:
            return chunk
        whole |= {name: value for name, value in chunk.items() if name != "choices" and value is not None}
        for choice in chunk.get("choices") or []:
            part: Any = (choice.get("delta") or choice.get("message") or {}).get("content")
            text.append(part if isinstance(part, str) else "")
            finish = choice.get("finish_reason") or finish
    if not ended and finish is None:
        raise ValueError("the stream was cut")
    message = {"role": "assistant", "content": "".join(text)}
    return {**whole, "choices": [{"index": 0, "message": message, "finish_reason": finish}]}


def _data(content: bytes) -> Iterator[bytes]:
    """The data of each event; its lines are joined."""
    lines: list[bytes] = []
    for line in (*content.splitlines(), b""):
        field, _, value = line.partition(b":")
        if field == b"data":
            lines.append(value.removeprefix(b" "))
        elif not line and lines:
            yield b"\n".join(lines)
            lines = []
