"""A reply as a chat completion, and as the chunks of a stream.

API: https://platform.openai.com/docs/api-reference/chat/object
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import AsyncIterator
from typing import Final

import orjson

from cutline.records import JSON, Usage
from cutline.service.routes.tools import Tool

_WORDS: Final = re.compile(r"\s*\S+\s*")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """The model's reply as a chat completion; with ``tool`` the text is the arguments of its call.

    ``refusal`` is what it declines with, where that does not stand in the text.
    """

    id: str
    created: int
    model: str
    text: str
    finish_reason: str
    usage: Usage
    tool: Tool | None = None
    refusal: str = ""

    @property
    def ended(self) -> str:
        """The finish reason; a whole call has its own."""
        return "tool_calls" if self.tool is not None and self.finish_reason == "stop" else self.finish_reason

    def head(self, kind: str) -> JSON:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}

    def usage_json(self) -> JSON:
        prompt, completion = self.usage.prompt_tokens, self.usage.completion_tokens
        total = prompt + completion
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}

    def to_json(self) -> JSON:
        message: JSON = {"role": "assistant", "content": self.text, "refusal": self.refusal or None}
        if self.refusal:
            message["content"] = self.text or None
        if self.tool is not None:
            message |= {"content": None, "tool_calls": [self.tool.call(self.text)]}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.ended}
        return {**self.head("chat.completion"), "choices": [choice], "usage": self.usage_json()}


async def chunks_of(completion: Completion, *, include_usage: bool) -> AsyncIterator[bytes]:
    """The reply as server-sent events, a few words each."""
    head = completion.head("chat.completion.chunk") | ({"usage": None} if include_usage else {})

    def event(delta: JSON, finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return event_of({**head, "choices": [choice]})

    if completion.tool is not None:
        yield event({"role": "assistant", "content": None})
        yield event({"tool_calls": [{"index": 0, **completion.tool.call(completion.text)}]})
    else:
        yield event({"role": "assistant", "content": ""})
        for piece in words(completion.text):
            yield event({"content": piece})
        for piece in words(completion.refusal):
            yield event({"refusal": piece})
    yield event({}, completion.ended)
    if include_usage:
        yield event_of({**head, "choices": [], "usage": completion.usage_json()})
    yield b"data: [DONE]\n\n"


def words(text: str) -> list[str]:
    """The text in the pieces of a stream."""
    return _WORDS.findall(text)


def event_of(data: JSON) -> bytes:
    """An event without a name."""
    return b"data: " + orjson.dumps(data) + b"\n\n"
