"""Answers that hold no caption become failures that say so."""

from __future__ import annotations

import io
import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cutline.captioners.hosted.chat_replies import read_reply
from cutline.captioners.hosted.openai import OpenAIChat
from cutline.captioners.hosted.preset import Parameters
from cutline.captioners.hosted.presets import PRESETS
from cutline.credentials import Secret
from cutline.errors import CutlineError, EndpointUnusable, Rejected, ReplyError, RequestError, Retryable
from cutline.imaging import Limits, Picture
from cutline.locations.stored import InlineBytes
from cutline.prompts import Prompt
from cutline.records import Reply, Usage
from server_process import Server

KEY = "sk-0123456789"


def body(message: dict, finish: str | None = "stop") -> str:
    message = {"role": "assistant", **message}
    usage = {"prompt_tokens": 5, "completion_tokens": 3}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return json.dumps({"model": "m", "choices": [choice], "usage": usage})


async def ask(server: Server, **script: object) -> Reply:
    server.post("/script", script)
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    chat = OpenAIChat(
        preset=PRESETS["openai"],
        model="gpt-4o-mini",
        endpoint=server.url,
        key=Secret(KEY),
        parameters=Parameters(),
        limits=Limits(),
        timeout=5,
    )
    try:
        return await chat.caption(Picture(InlineBytes(buffer.getvalue(), "black")), Prompt())
    finally:
        await chat.aclose()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (body({"content": None}), "empty"),
        (body({"content": ""}), "empty"),
        (body({"content": " \n"}), "empty"),
        (body({}), "empty"),
        (body({"content": []}), "empty"),
        (body({"content": None, "reasoning_content": "Hmm, a picture."}), "empty"),
        (body({"content": "", "reasoning": "Hmm."}, "length"), "truncated"),
        (body({"content": "A cat on a"}, "length"), "truncated"),
        (body({"content": None, "refusal": "I cannot help with that."}), "refused"),
        (body({"content": "Half a", "refusal": "No."}), "refused"),
        (body({"content": ""}, "content_filter"), "refused"),
        (body({"content": "A cat on a"}, "MAX_TOKENS"), "truncated"),
        (body({"content": "A cat on a"}, "model_length"), "truncated"),
        (body({"content": "A"}, "SAFETY"), "refused"),
        (body({"content": None}, "PROHIBITED_CONTENT"), "refused"),
        (body({"content": None, "thinking": "Hmm."}), "empty"),
        (body({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hmm."}]}]}), "empty"),
        (body({"content": [{"type": "refusal", "refusal": "No."}]}), "refused"),
        (
            body({"content": "A cat."}).replace(
                '"finish_reason"', '"native_finish_reason": "SAFETY", "finish_reason"'
            ),
            "refused",
        ),
        (body({"content": None, "tool_calls": [{"id": "1", "type": "function"}]}, "tool_calls"), "tool-call"),
    ],
)
async def test_an_answer_without_caption(scripted: Server, answer: str, kind: str) -> None:
    with pytest.raises(ReplyError) as raised:
        await ask(scripted, body=answer)
    assert raised.value.kind == kind
    assert raised.value.reply.usage == Usage(prompt_tokens=5, completion_tokens=3), "it was paid for"


@pytest.mark.parametrize(
    "answer",
    [
        json.dumps({"object": "chat.completion"}),
        json.dumps({"choices": []}),
        json.dumps({"choices": [{"message": None}]}),
        json.dumps({"choices": "none"}),
        json.dumps([1, 2]),
        json.dumps("words"),
        "",
        "<html><body>502 Bad Gateway</body></html>",
        body({"content": "A cat."})[:-20],
    ],
)
async def test_a_body_that_is_no_completion_may_be_asked_again(scripted: Server, answer: str) -> None:
    with pytest.raises(Retryable) as raised:
        await ask(scripted, body=answer)
    assert raised.value.kind == "malformed"


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (body({"content": "A cat."}), "A cat."),
        (body({"content": "A cat."}, None), "A cat."),
        (body({"content": [{"type": "text", "text": "A "}, {"type": "text", "text": "cat."}]}), "A cat."),
        (body({"content": ["A ", {"type": "output_text", "text": "cat."}]}), "A cat."),
        (
            body(
                {"content": [{"type": "thinking", "text": "Hm."}, {"type": "text", "text": "A cat."}]}, "STOP"
            ),
            "A cat.",
        ),
        (body({"content": {"type": "text", "text": "A cat."}}, "end_turn"), "A cat."),
        (body({"content": "A cat.", "refusal": None, "tool_calls": None}), "A cat."),
        (body({"content": "A cat.", "reasoning_content": "Hmm."}), "A cat."),
        (json.dumps({"choices": [{"message": {"content": "A cat."}}]}), "A cat."),
        (json.dumps({"choices": [{"message": {"content": "A cat."}}], "usage": None}), "A cat."),
    ],
)
async def test_an_answer_with_a_caption(scripted: Server, answer: str, text: str) -> None:
    assert (await ask(scripted, body=answer)).text == text


@pytest.mark.parametrize("reason", ["abort", "error", "ABORTED", "insufficient_system_resource"])
async def test_an_answer_that_the_endpoint_broke_off_is_requested_again(
    scripted: Server, reason: str
) -> None:
    with pytest.raises(Retryable, match="before it was complete") as raised:
        await ask(scripted, body=body({"content": "A cat on"}, reason))
    assert raised.value.kind == "endpoint"


def error(message: str, code: str | None = None) -> str:
    return json.dumps({"error": {"message": message, "type": "error", "code": code}})


@pytest.mark.parametrize(
    ("status", "answer", "cls", "words"),
    [
        (400, error("bad picture"), Rejected, "bad picture"),
        (401, error(f"Incorrect API key provided: {KEY}"), Rejected, "OPENAI_API_KEY"),
        (402, error("pay"), EndpointUnusable, "credit"),
        (403, json.dumps({"detail": "Forbidden"}), Rejected, "Forbidden"),
        (404, json.dumps({"title": "Not found"}), Rejected, "'gpt-4o-mini'"),
        (413, "too large", Rejected, "--max-side"),
        (422, json.dumps({"error": "no"}), Rejected, "no"),
        (429, error("slow down"), Retryable, "slow down"),
        (429, error("over", "insufficient_quota"), EndpointUnusable, "add credit"),
        (
            429,
            error("Rate limit reached on requests per day (RPD): Limit 200"),
            EndpointUnusable,
            "of the day",
        ),
        (
            429,
            error("free-models-per-day exceeded"),
            EndpointUnusable,
            "run the same command when it returns",
        ),
        (429, error("Your daily quota is used up"), EndpointUnusable, "of the day"),
        (308, "", EndpointUnusable, "it redirects to http://127.0.0.1:1/"),
        (500, "<html>" + " " * 1990 + KEY, Retryable, "500"),
        (503, "", Retryable, "503"),
        (301, "", EndpointUnusable, "301"),
    ],
)
async def test_statuses(
    scripted: Server, status: int, answer: str, cls: type[CutlineError], words: str
) -> None:
    with pytest.raises(cls) as raised:
        await ask(scripted, status=status, body=answer, headers={"Location": "http://127.0.0.1:1/"})
    message = str(raised.value)
    assert words in message
    assert "\n" not in message
    assert len(message) < 600
    assert KEY[:8] not in message
    if isinstance(raised.value, RequestError):
        assert raised.value.status == status


async def test_waiting_time_that_the_endpoint_asks_for(scripted: Server) -> None:
    with pytest.raises(Retryable) as raised:
        await ask(scripted, status=429, body="", headers={"Retry-After": "7"})
    assert raised.value.retry_after == 7


NAMES = ["message", "content", "error", "finish_reason", "refusal", "tool_calls", "text", "prompt_tokens"]
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=8,
)
CHOICE = st.fixed_dictionaries(
    {"message": ANY | st.fixed_dictionaries({"content": ANY}), "finish_reason": ANY}, optional={"error": ANY}
)


@given(
    st.fixed_dictionaries(
        {"choices": st.lists(CHOICE | ANY, max_size=2)}, optional={"usage": ANY, "model": ANY, "error": ANY}
    )
)
def test_any_completion_is_a_reply_or_one_of_our_errors(payload: dict) -> None:
    try:
        reply = read_reply(payload, model="m", seconds=0.0)
    except CutlineError:
        return
    assert reply.text.strip()
    orjson.dumps([reply.text, reply.usage, reply.finish_reason, reply.model])  # as a journal keeps it


@pytest.mark.parametrize("tokens", [1e300, -5, 10**18])
def test_impossible_counts_of_tokens_are_left_out(tokens: float) -> None:
    data = json.loads(body({"content": "A cat."}))
    data["usage"]["prompt_tokens"] = tokens
    assert read_reply(data, model="m", seconds=0.0).usage == Usage(completion_tokens=3)


async def test_an_endless_answer_is_not_read_to_its_end(scripted: Server) -> None:
    with pytest.raises(Retryable) as raised:
        await ask(scripted, body=body({"content": "x" * 9_000_000}))
    assert raised.value.kind == "malformed"
